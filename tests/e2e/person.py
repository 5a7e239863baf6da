"""A person at the panel: a real browser that notices every error a person would.

A person waits for what they see, however slow the machine is: no wait here says how fast the
product has to be, it only ends a wait for what never comes.
"""

import re
import time
from contextlib import suppress
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
PATIENCE = 60_000  # milliseconds
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WHOLE = "() => !document.querySelector('[data-testid=stSkeleton]')"
IDLE = (
    "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
)
RUNS = "performance.getEntriesByName('script-run-cycle').length"
MOVE = """path => {
    history.pushState({}, '', path); dispatchEvent(new PopStateEvent('popstate', {state: {}})) }
"""
KNOWN = re.compile(r"/[a-z_]+/_stcore/(health|host-config)")  # asked below a deep link, then above
STREAMLITS_OWN = {  # an axe rule and the part of Streamlit's own markup that breaks it
    "list": "[data-testid=stSidebarNav]",  # the menu's <ul> holds section headings beside <li>
    "listitem": "[data-testid=stSidebarNav]",  # and its <li> have no list as parent
    "svg-img-alt": "[data-testid=stMetric]",  # a sparkline has no text; its number stands beside it
    "presentation-role-conflict": "[data-testid=stFileUploader]",  # its drop zone, named and focusable
}
RUN_AXE = """async options => {
    const {violations} = await axe.run({...options, resultTypes: ["violations"]});
    return violations.flatMap(one => one.nodes.map(n => [one.id, n.html, n.target[0]])) }
"""
WIDER = """() => Math.max(...[document.documentElement, ...document.querySelectorAll(
    '[data-testid=stMain], [data-testid=stDialog]')].map(one => one.scrollWidth - one.clientWidth))
"""
MENU_RESTS = """() => {
    const menu = document.querySelector('[data-testid=stSidebar]');
    return !menu || innerWidth > 768 || menu.getBoundingClientRect().right <= 0 }
"""
SIZES = {"wide": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


class Person:
    """One browser context; `problems` gathers what must not happen."""

    def __init__(
        self, browser: Browser, address: str, *, size="wide", theme="light", **more
    ) -> None:
        self.address = address
        self.context = browser.new_context(
            viewport=SIZES[size], color_scheme=theme, reduced_motion="reduce", **more
        )
        self.context.set_default_timeout(PATIENCE)
        self.problems: list[str] = []
        self.page = self.new_page()

    def new_page(self) -> Page:
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("console", self._console)
        page.on("response", self._response)
        page.on("request", self._request)
        return page

    def _console(self, message) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.problems.append(f"console: {message.text}")

    def _response(self, response) -> None:
        if response.status >= 400 and not KNOWN.search(response.url):
            self.problems.append(f"HTTP {response.status}: {response.url}")

    def _request(self, request) -> None:
        if not request.url.startswith(
            (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        ):
            self.problems.append(f"a request left the host: {request.url}")

    def go(self, path: str = "/", page: Page | None = None) -> Page:
        page = page or self.page
        page.goto(f"{self.address}{path}")
        self.idle(page)
        return page

    def idle(self, page: Page | None = None) -> None:
        (page or self.page).wait_for_selector(IDLE)

    def sign_in(self, name: str, password: str) -> None:
        """Fill in the form and wait until the browser keeps the sign-in."""
        asked = self.page.get_by_label("Password", exact=True)
        self.page.get_by_label("Name", exact=True).fill(name)
        asked.fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(asked).to_have_count(0)
        self.idle()
        until(self._remembered, what="the cookie")  # written by a frame, a moment later

    def _remembered(self) -> bool:
        self.page.wait_for_timeout(20)  # lets the browser work
        return any(one["name"] == "pilothouse" for one in self.context.cookies())

    def opens(self, path: str = "/") -> Page:
        """Go to a page and wait until all of it can be used."""
        self.go(path)
        self.whole()
        return self.page

    def moves(self, path: str = "/") -> Page:
        """Go on to a page within the panel and wait until all of it can be used.

        As with Back and Forward nothing is fetched and compiled anew, which is most of the work of
        `opens`: for what does not depend on how somebody came to the page.
        """
        if not self.page.url.startswith(f"{self.address}/"):
            return self.opens(path)
        self.idle()
        runs = self.page.evaluate(RUNS)
        self.page.evaluate(MOVE, path)
        self.page.wait_for_function(f"before => {RUNS} > before", arg=runs, polling=50)
        self.whole()
        return self.page

    def whole(self) -> None:
        """Wait until the page has its title and no part of it is still to come."""
        expect(self.page.locator("h1:visible").first).to_be_visible()
        self.idle()
        self.page.wait_for_function(WHOLE)  # looks at each frame, so it can time

    def click(self, name: str | re.Pattern, role: str = "button") -> None:
        self.page.get_by_role(role, name=name).first.click()
        self.idle()

    def follow(self, link: Locator, to: str) -> None:
        """Click a link and wait for its page."""
        third = PATIENCE / 3
        self.repeat(
            lambda: link.click(timeout=third), lambda: self.page.wait_for_url(to, timeout=third)
        )
        self.idle()

    def repeat(self, act, wait) -> None:
        """Do what may be done twice, until it had its effect: a click on what just moves is lost."""
        for _ in range(3):
            with suppress(TimeoutError, AssertionError):
                act()
                wait()
                return
        wait()

    def sees(self, text: str | re.Pattern, seconds: float = PATIENCE / 1000) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)

    def approve(self, title: str, note: str) -> None:
        """Decide the waiting card with this title, as a person does: look, then approve."""
        self.moves("/")
        card = self.page.locator("[class*=st-key-card-]").filter(has_text=re.compile(title)).first
        expect(card).to_be_visible()
        self.follow(card.get_by_role("link", name="Look and decide"), "**/recommendation?id=*")
        self.click("Approve …")
        self.page.get_by_label("Note (kept in the audit trail)").fill(note)
        self.page.get_by_label("Note (kept in the audit trail)").press("Enter")
        self.click("Approve now")
        self.sees("Approved:")

    def shoot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    def resize(self, size: str) -> None:
        """Make the window as wide and high as `size` says."""
        if self.page.viewport_size == SIZES[size]:
            return
        self.page.set_viewport_size(SIZES[size])
        self.page.wait_for_timeout(100)  # the layout follows the window
        self.page.wait_for_function(MENU_RESTS)

    def shoot_all(self, name: str) -> None:
        """Take a picture of all that one could scroll to."""
        width = self.page.viewport_size["width"]
        height = self.page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
        self.page.set_viewport_size({"width": width, "height": min(height, 4000)})
        self.page.wait_for_timeout(150)
        self.shoot(name)

    def check(self) -> None:
        """Fail on anything that went wrong in the browser so far."""
        self.look_for_exception()
        assert not self.problems, self.problems

    def look_for_exception(self) -> None:
        """Note an error that the page shows in place of itself."""
        if exception := self.page.query_selector("[data-testid=stException]"):
            self.problems.append(f"in the page: {exception.inner_text()[:300]}")

    def wide_by(self) -> int:
        """By how many pixels the page, or what scrolls in it, stays wider than it is shown."""
        with suppress(TimeoutError):  # charts follow the window a moment later
            self.page.wait_for_function(f"() => ({WIDER})() <= 0", timeout=5_000)
        return self.page.evaluate(WIDER)

    def axe(self, *rules: str) -> list[str]:
        """What axe-core objects to on this page, but for Streamlit's own known findings."""
        from axe_core_python.sync_playwright import Axe

        if not self.page.evaluate("!!window.axe"):
            self.page.evaluate(Axe().axe_script)
        for _ in range(4):  # a widget that fades in is pale for a moment; what is wrong stays wrong
            if not (found := self._objections(rules)):
                break
            self.page.wait_for_timeout(500)
        return found

    def _objections(self, rules) -> list[str]:
        found = self.page.evaluate(RUN_AXE, {"runOnly": list(rules)} if rules else {})
        return [
            f"{rule}: {html[:200]}"
            for rule, html, target in found
            if not self._is_streamlits_own(rule, target)
        ]

    def _is_streamlits_own(self, rule: str, target: str) -> bool:
        inside = STREAMLITS_OWN.get(rule)
        ask = "([target, inside]) => !!document.querySelector(target)?.closest(inside)"
        return inside is not None and self.page.evaluate(ask, [target, inside])


def until(condition, seconds: float = 180, what: str = "it"):
    """Return the first truthy answer of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds} s")

"""A person at the panel: a real browser that notices every error a person would."""

import re
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

ARTIFACTS = Path(__file__).parents[2] / "artifacts"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = (
    "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
)
KNOWN = re.compile(r"/[a-z_]+/_stcore/(health|host-config)")  # asked below a deep link, then above
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
        self.context.set_default_timeout(20_000)
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
        (page or self.page).wait_for_selector(IDLE, timeout=30_000)

    def sign_in(self, name: str, password: str) -> None:
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label("Password", exact=True).fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_label("Password", exact=True)).to_have_count(0)
        self.idle()

    def click(self, name: str | re.Pattern, role: str = "button") -> None:
        self.page.get_by_role(role, name=name).first.click()
        self.idle()

    def sees(self, text: str | re.Pattern, seconds: float = 20) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=seconds * 1000)

    def shoot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)

    def check(self) -> None:
        """Fail on anything that went wrong in the browser so far."""
        if exception := self.page.query_selector("[data-testid=stException]"):
            self.problems.append(f"in the page: {exception.inner_text()[:300]}")
        assert not self.problems, self.problems

    def wide_by(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def until(condition, seconds: float = 60, what: str = "it"):
    """Return the first truthy answer of `condition`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.3)
    raise AssertionError(f"{what} did not happen within {seconds} s")

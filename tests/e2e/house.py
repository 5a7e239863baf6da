"""An installation with a panel on it, and the people who sit in front of it."""

import time

from tests.e2e import panel_home
from tests.e2e.person import Person
from tests.e2e.product import Product


class House:
    """An installation, the panel that runs on it, and who is signed in."""

    def __init__(self, browser, panel, **settings):
        self.browser, self.panel = browser, panel
        self.product = Product(panel.settings.root, None, **panel_home.SECRETS, **settings)
        self.staff, self.strangers = {}, []

    def start(self):
        self.product.start("pilothouse", "serve", "panel")
        self.product.wait_for("panel", "/_stcore/health", time.monotonic() + 180)
        return self

    def close(self):
        for person in [*self.staff.values(), *self.strangers]:
            person.context.close()
        self.product.stop()
        self.panel.db.engine.dispose()

    def __call__(self, name, theme="light"):
        """Somebody who is signed in, in a browser that they keep from test to test."""
        if name not in self.staff:
            self.staff[name] = sign_in(self._person(), name)
        if (name, theme) not in self.staff and theme != "light":
            known = self.staff[name].context.storage_state()
            self.staff[name, theme] = self._person(storage_state=known, theme=theme)
        person = self.staff[name] if theme == "light" else self.staff[name, theme]
        person.resize("wide")
        return person

    def stranger(self, **how):
        """Somebody whom nobody knows, for one test."""
        self.strangers.append(self._person(**how))
        return self.strangers[-1]

    def _person(self, **how):
        return Person(self.browser, self.product.url("panel"), **how)

    def check(self):
        """Fail on whatever went wrong in a browser since the last time."""
        strangers, self.strangers = self.strangers, []
        people = [*self.staff.values(), *strangers]
        for person in people:
            person.look_for_exception()
        problems = [problem for person in people for problem in person.problems]
        for person in people:
            person.problems.clear()
        for person in strangers:
            person.context.close()
        assert not problems, problems


def sign_in(person, name, path="/"):
    person.go(path)
    person.sign_in(name, panel_home.PASSWORD)
    person.whole()
    return person


def form(person):
    """The field for the password: what is there while nobody is signed in."""
    return person.page.get_by_label("Password", exact=True)


def button(person, name):
    return person.page.get_by_role("button", name=name, exact=True)

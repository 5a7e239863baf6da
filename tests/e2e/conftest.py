import importlib.util
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import data_dir

HERE = Path(__file__).parent


def load(name):
    """Import a helper module beside the tests (they are no package)."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


STORIES = ("test_the_whole_loop", "test_own_data", "test_two_commands")
"""Told one after the other on one installation; the last one ends it."""

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Put the stories in front, in their order."""
    place = {name: number for number, name in enumerate(STORIES)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(scope="session")
def product_module():
    return load("product")


@pytest.fixture(scope="session")
def receivers(product_module):
    """What stands in for Slack, a webhook and a mail server: (posts, mails)."""
    receivers = load("receivers")
    posts, mails = receivers.Posts(), receivers.Mails(product_module.free_port())
    yield posts, mails
    posts.close()
    mails.close()


@pytest.fixture(scope="session")
def product(product_module, receivers, tmp_path_factory):
    """`make run`, started once for all stories; `seconds` is how long that took.

    Without the real messages it learns from generated ones: the loop is walked all the same.
    """
    posts, mails = receivers
    product = product_module.Product(
        tmp_path_factory.mktemp("loop"),
        data_dir(),
        PILOTHOUSE_MONITOR_MINUTES="600",  # the stories check when they say so
        SLACK_WEBHOOK_URL=f"{posts.url}/slack",
        MONITORING_WEBHOOK_URL=f"{posts.url}/webhook",
        PILOTHOUSE_WEBHOOK_SECRET="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        PILOTHOUSE_WEBHOOK_ALLOW_PRIVATE="true",
        ALERT_EMAIL="pilothouse@example.com",
        PILOTHOUSE_SMTP_HOST="127.0.0.1",
        PILOTHOUSE_SMTP_PORT=str(mails.port),
        PILOTHOUSE_SMTP_TLS="false",
    ).start()
    product.seconds = product.wait_until_ready()
    yield product
    product.stop(signal.SIGKILL)


@pytest.fixture(scope="session")
def browser():
    """One Chromium for the whole run: the one on the machine, or Playwright's own.

    The shell without windows draws the same pages for three quarters of the work.
    """
    import shutil

    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=load("person").PATIENCE)  # a busy machine is slow, not wrong
    program = next((path for path in map(shutil.which, PROGRAMS) if path), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=load("person").FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def person_module():
    return load("person")


@pytest.fixture(scope="session")
def house(browser, tmp_path_factory):
    """A panel on a small installation with a story, and the people in front of it."""
    from tests.e2e import house, panel_home

    panel = panel_home.open_home(tmp_path_factory.mktemp("story"))
    panel_home.tell_a_story(panel)
    built = house.House(browser, panel).start()
    yield built
    built.close()


@pytest.fixture
def at(house):
    """``at("ana")`` is ana at the panel; whatever went wrong in a browser fails the test."""
    yield house
    house.check()

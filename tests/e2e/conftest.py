import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def load(name):
    """Import a helper module beside the tests (they are no package)."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def product_module():
    return load("product")


@pytest.fixture(scope="session")
def browser():
    """One Chromium for the whole run: the one on the machine, or Playwright's own."""
    import shutil

    from playwright.sync_api import sync_playwright

    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    program = next((path for path in found if path), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=load("person").FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def person_module():
    return load("person")


@pytest.fixture(scope="session")
def receivers_module():
    return load("receivers")


@pytest.fixture(scope="session")
def house(browser, tmp_path_factory):
    """A panel on a small installation with a story, and the people in front of it."""
    from tests.e2e import house, panel_home

    panel = panel_home.open_home(tmp_path_factory.mktemp("story"))
    panel_home.tell_a_story(panel)
    built = house.House(browser, panel).start()
    yield built
    built.close()

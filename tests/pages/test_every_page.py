from pathlib import Path

import pytest

from app import nav
from core.access import Actor, Role, may
from tests.pages.looking import text_of

ROOT = Path(__file__).parents[2]
PEOPLE = {
    "vic": Actor("vic", Role.VIEWER),
    "ana": Actor("ana", Role.OPERATOR),
    "apo": Actor("apo", Role.APPROVER),
    "adm": Actor("adm", Role.ADMIN),
}
STEMS = [entry.stem for entry in nav.ENTRIES]


@pytest.mark.parametrize("name", ["vic", "adm"])
@pytest.mark.parametrize("stem", STEMS)
def test_a_page_opens_for_its_roles_and_says_no_access_to_the_others(open_page, served, stem, name):
    page = open_page(stem, PEOPLE[name])

    action = nav.BY_STEM[stem].action
    allowed = action is None or may(PEOPLE[name], action)
    assert not page.exception
    assert (page.title[0].value == "No access") is not allowed


@pytest.mark.parametrize("stem", STEMS)
def test_without_a_sign_in_there_is_only_the_form(open_page, served, stem):
    page = open_page(stem, None)

    assert not page.exception
    assert [one.label for one in page.text_input] == ["Name", "Password"]
    assert served not in text_of(page)


@pytest.mark.parametrize("stem", [stem for stem in STEMS if stem != "recommendation"])
def test_an_empty_installation_gives_every_page_a_next_step(open_page, panel, adm, stem):
    page = open_page(stem, adm)

    assert not page.exception
    assert page.title
    assert text_of(page).strip()


def test_every_page_file_is_listed():
    files = {path.stem for path in (ROOT / "pages").glob("*.py")} - {"__init__"}
    assert files == set(STEMS)


def test_no_folder_of_pages_lies_beside_the_entry():
    assert not (ROOT / "app" / "pages").exists()


def test_a_page_has_at_most_120_lines():
    lengths = {p.stem: len(p.read_text().splitlines()) for p in (ROOT / "pages").glob("*.py")}
    assert {stem: n for stem, n in lengths.items() if n > 120} == {}


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("vic", {"training", "data", "admin"}),
        ("ana", {"admin"}),
        ("apo", {"admin"}),
        ("adm", set()),
    ],
)
def test_the_menu_shows_what_a_person_may_open(name, hidden):
    listed = {entry.stem for entry in nav.ENTRIES if nav.may_open(PEOPLE[name], entry)}
    assert {"training", "data", "admin"} - listed == hidden

"""Rules of the layout that no linter knows: a rule without a check decays."""

from core.settings import ROOT

MOST_LINES, MOST_LINES_OF_A_PAGE = 400, 120
FOLDERS = ("app", "api", "core", "pages", "tests", "benchmarks")


def longer_than(most, *folders):
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    lines = {path.relative_to(ROOT): path.read_text().count("\n") for path in files}
    return {str(p): n for p, n in lines.items() if n > most and "migrations" not in p.parts}


def test_no_file_is_longer_than_a_person_reads_at_once():
    assert longer_than(MOST_LINES, *FOLDERS) == {}


def test_a_page_is_load_render_command_and_no_more():
    assert longer_than(MOST_LINES_OF_A_PAGE, "pages") == {}

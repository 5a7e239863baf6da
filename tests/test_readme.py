import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_readme_links_every_page_and_no_page_that_is_not_there():
    linked = set(re.findall(r"\]\((docs/[\w-]+\.md)\)", (ROOT / "README.md").read_text()))
    assert linked == {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}

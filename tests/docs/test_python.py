"""The pages and the notebook that show `core` from Python: what they show is run."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def script():
    found = re.findall(r"```python\n(.*?)```", (DOCS / "python.md").read_text(), re.DOTALL)
    return "\n".join(found)


def notebook():
    return json.loads((DOCS / "notebooks" / "tour.ipynb").read_text())


def code_of(cells):
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Run the notebook's cells as one script; the page has the same ones."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code_of(notebook()["cells"])],
        cwd=tmp_path_factory.mktemp("lab-home"),
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_the_script_of_the_page_loads_trains_explains_registers_and_compares(printed):
    assert printed[0].startswith("validated 569 ")
    accuracy, answer = re.match(r"(0\.\d+) \(.*\), (\w+)", printed[1]).groups()
    assert (float(accuracy) > 0.9, answer) == (True, "promote")
    assert printed[2].split()[0] in ("benign", "malignant")
    assert printed[4].startswith("1.1.0 ")
    assert len(json.loads(printed[5])) == 2


def test_the_notebook_shows_what_the_page_shows():
    squeezed = [
        re.sub(r"\s+", " ", code).strip() for code in (script(), code_of(notebook()["cells"]))
    ]
    assert squeezed[0] == squeezed[1]


def test_the_notebook_is_kept_without_what_it_once_printed():
    for cell in notebook()["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_the_laboratory_listens_on_this_machine_only_and_asks_for_a_token():
    recipe = (ROOT / "Makefile").read_text().split("\nlab:")[1].split("\n\n")[0]
    assert "--ip 127.0.0.1" in recipe
    assert "--no-browser" in recipe
    assert "token=" not in recipe  # none is given, so Jupyter makes one

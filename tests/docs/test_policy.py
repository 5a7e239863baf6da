"""The page about the policy names every threshold with its default and meaning."""

from pathlib import Path

from core.specs.meanings import DEFAULTS, GROUPS

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"


def tables():
    lines = []
    for title, group in GROUPS.items():
        lines += [f"### {title}", "| threshold | default | means |", "|---|---|---|"]
        lines += [f"| `{name}` | {DEFAULTS[name]:g} | {words} |" for name, words in group.items()]
        lines.append("")
    return "\n".join(lines)


def test_the_page_shows_the_thresholds_as_they_are():
    shown = PAGE.read_text().split("## The thresholds\n")[1]
    assert shown.strip() == tables().strip(), f"write this below its last heading:\n{tables()}"

"""Commands that the documentation shows are there, with the options that it shows."""

import importlib
import re
import shlex

import pytest
import typer

from core import cli
from core.cli import base
from core.settings import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
SHOWN = re.compile(r"(?:^|`)(pilothouse [a-z][^`\n]*)", re.MULTILINE)


@pytest.fixture(scope="module")
def commands():
    for home in cli.HOME:
        importlib.import_module(f"core.cli.{home}")
    return typer.main.get_command(base.app)


def unknown(command, words):
    """Return the first word that names no command, or the first option that it does not have."""
    words = list(words)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return words[0] if words else None
        command = command.commands[words.pop(0)]
    known = {"--help"} | {
        name for one in command.params for name in (*one.opts, *one.secondary_opts)
    }
    given = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return next((one for one in given if one not in known), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_that_a_page_shows_exists_with_its_options(page, commands):
    for shown in SHOWN.findall(page.read_text()):
        words = shlex.split(re.split(r"[#|<>]", shown)[0])
        assert unknown(commands, words[1:]) is None, shown

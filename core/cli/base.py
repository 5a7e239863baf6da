"""What the commands share: the application, the actor, printing."""

import getpass
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from core.access import Actor, local
from core.errors import (
    InvalidInputError,
    MissingDatabaseError,
    NotFoundError,
    PilothouseError,
    UnauthenticatedError,
)
from core.settings import Settings

if TYPE_CHECKING:  # `serve` becomes another program at once: it should not wait for these
    from core.panel import Panel

DRIFTED, UNTOLD = 1, 3
"""Exit codes of `drift --fail-on-drift`: it has drifted; nothing can be told, a column is lost."""

app = typer.Typer(
    name="pilothouse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None:
    """The control room for machine-learning models in production."""


def panel() -> "Panel":
    """Return the application as the settings describe it."""
    from core.panel import build

    return build(read_settings())


def read_settings() -> Settings:
    """Read the settings; a bad one is one clear line.

    Raises: PilothouseError.
    """
    try:
        return Settings()
    except ValueError as error:
        raise PilothouseError(f"a setting is not usable: {_first_problem(error)}") from error


def _first_problem(error: ValueError) -> str:
    problems: list[dict[str, Any]] = getattr(error, "errors", list)()
    if not problems:
        return str(error).splitlines()[0]
    where = ".".join(str(part) for part in problems[0]["loc"])
    return f"{where}: {problems[0]['msg']}"


def bytes_of(file: Path) -> bytes:
    """Return what a file holds. Raises: NotFoundError."""
    if not file.is_file():
        raise NotFoundError(f"there is no file {file}")
    return file.read_bytes()


def text_of(file: Path) -> str:
    """Return the text that a file holds. Raises: NotFoundError, InvalidInputError (it is none)."""
    try:
        return bytes_of(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{file} is not text in UTF-8") from error


def actor(panel: "Panel") -> Actor:
    """Return who gives the command: the person of `pilothouse login`, else the operating system's.

    Raises: UnauthenticatedError (the kept sign-in has ended).
    """
    from core import users

    kept = token_path(panel)
    if not kept.exists():
        return local(getpass.getuser())
    if person := users.by_session(panel.db, kept.read_text().strip()):
        return person
    raise UnauthenticatedError("your sign-in has ended: `pilothouse login` again, or `logout`")


def token_path(panel: "Panel") -> Any:  # noqa: ANN401 (a path)
    """Return where `pilothouse login` keeps this operating-system user's token."""
    return panel.settings.folder("logins") / getpass.getuser()


def model_name(panel: "Panel", model: str) -> str:
    """Return the canonical name of a model that has a spec. Raises: NotFoundError."""
    from core import specs

    with panel.db.read() as session:
        return specs.active(session, specs.canonical(model)).name


def say(text: str = "") -> None:
    """Print one line at once."""
    print(text, flush=True)


def stand_out(text: str) -> None:
    """Print one line that is found among the logs of a start: between rules, with room around."""
    rule = "=" * min(100, len(text))
    say(f"\n{rule}\n{text}\n{rule}\n")


def stamped(panel: "Panel", text: str) -> None:
    """Print one line with the time in front."""
    say(f"{panel.clock():%H:%M:%S}  {text}")


def print_json(content: object) -> None:
    """Print for a script."""
    say(json.dumps(content, indent=2, default=_plain))


def print_json_list(rows: Iterable[object]) -> None:
    """Print for a script, one row after the other: they may be too many to hold at once."""
    before = "["
    for row in rows:
        say(f"{before}{json.dumps(row, indent=2, default=_plain)}")
        before = ","
    say("[]" if before == "[" else "]")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns; nothing but a hint when there are no rows."""
    lines = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(head), *lines]) for i in range(len(head))]
    for line in [list(head), *lines]:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def in_full(error: PilothouseError) -> str:
    """Return an error for somebody at this machine: with folders that clients do not see."""
    return error.in_full if isinstance(error, MissingDatabaseError) else str(error)


def fail(message: str) -> None:
    """Print one line to standard error and leave with exit code 1."""
    print(f"pilothouse: {message}", file=sys.stderr, flush=True)
    sys.exit(1)

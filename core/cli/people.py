"""People at the command line: signing in and out, accounts, the audit trail."""

import os
import sys
from typing import Annotated

import typer

from core import audit, users
from core.access import Role
from core.cli.base import actor, app, fail, panel, print_json, say, table, token_path

users_app = typer.Typer(help="Accounts of the panel.", no_args_is_help=True)
app.add_typer(users_app, name="users")
audit_app = typer.Typer(help="The audit trail.", no_args_is_help=True)
app.add_typer(audit_app, name="audit")


@app.command()
def login(name: str) -> None:
    """Sign in as a person, so that commands run with that person's role."""
    built = panel()
    password = typer.prompt("Password", hide_input=True) if sys.stdin.isatty() else _one_line()
    user = users.check(built.db, name, password)
    token = users.start_session(
        built.db, user, via="command line", hours=built.settings.session_hours
    )
    path = token_path(built)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(token)
    say(f"Signed in as {user.name} ({user.role}) for {built.settings.session_hours:g} hours.")


def _one_line() -> str:
    return sys.stdin.readline().rstrip("\n")


@app.command()
def logout() -> None:
    """End the sign-in of `pilothouse login`."""
    built = panel()
    path = token_path(built)
    if not path.exists():
        say("You were not signed in.")
        return
    users.end_session(built.db, path.read_text().strip())
    path.unlink()
    say("Signed out.")


def _new_password() -> str:
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


@users_app.command("create")
def create_user(
    name: str,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.OPERATOR,
) -> None:
    """Add a person; the password is asked for, or read from standard input."""
    built = panel()
    password = _new_password() if sys.stdin.isatty() else _one_line()
    users.create(built.db, actor(built), name=name, role=role, password=password)
    say(f"{name} may sign in as {role}.")


@users_app.command("list")
def list_users() -> None:
    """List the people."""
    with panel().db.read() as session:
        rows = users.all(session)
    table(("name", "role", "active"), ((u.name, u.role, "yes" if u.active else "no") for u in rows))


@audit_app.command("verify")
def verify(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Check that no row was changed, removed or moved; exit code 1 when one was."""
    state = audit.verify(panel().db)
    if as_json:
        print_json({"whole": state.whole, "rows": state.n, "finding": state.sentence})
    elif state.whole:
        say(state.sentence)
    else:
        fail(state.sentence)
    if not state.whole:
        raise typer.Exit(1)


@audit_app.command("export")
def export() -> None:
    """Print the whole trail as CSV."""
    built = panel()
    sys.stdout.write(audit.export_csv(built.db, actor(built)))


@audit_app.command("list")
def tail(limit: int = 30, model: str | None = None) -> None:
    """Print the newest rows."""
    with panel().db.read() as session:
        rows = audit.tail(session, model=model, limit=limit)
    cells = (
        (f"{r.at:%Y-%m-%d %H:%M:%S}", r.actor, r.action, r.model or "", r.outcome, r.reason)
        for r in rows
    )
    table(("at", "who", "what", "model", "outcome", "why"), cells)

"""API keys at the command line."""

from datetime import datetime, timedelta
from typing import Annotated

import typer

from core import keys
from core.cli.base import actor, app, panel, print_json, say, table

keys_app = typer.Typer(help="API keys of client applications.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Who will use the key.")],
    scope: Annotated[list[str], typer.Option(help="predict, feedback, read, operate or admin")],
    days: Annotated[float | None, typer.Option(help="Days until the key expires.")] = None,
    rate: Annotated[int | None, typer.Option(help="Requests a minute; 0: no limit.")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Make a key and print it, this once."""
    built = panel()
    expires_at = built.clock() + timedelta(days=days) if days else None
    row, secret = keys.create(
        built.db, actor(built), name=name, scopes=scope, expires_at=expires_at, rate_limit=rate
    )
    if as_json:
        print_json({"key": secret, "id": row.id, "scopes": row.scopes, "rate": row.rate_limit})
    else:
        say(f"{secret}\nIt is shown this once. Clients send it in the header X-API-Key.")


@keys_app.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """List the keys; secrets are not kept and cannot be shown."""
    built = panel()
    with built.db.read() as session:
        rows = keys.all(session)
    content = [
        {
            "id": r.id,
            "name": r.name,
            "scopes": r.scopes,
            "rate": r.rate_limit,
            "expires": r.expires_at,
            "revoked": r.revoked_at,
        }
        for r in rows
    ]
    if as_json:
        print_json(content)
    else:
        default = built.settings.rate_limit_per_minute
        cells = (
            (
                r.id,
                r.name,
                " ".join(r.scopes),
                keys.limit_words(r.rate_limit, default),
                _ended(r.revoked_at),
            )
            for r in rows
        )
        table(("id", "name", "scopes", "limit", "state"), cells)


def _ended(moment: datetime | None) -> str:
    return f"revoked {moment:%Y-%m-%d %H:%M}" if moment else "active"


@keys_app.command("limit")
def limit_key(
    key_id: str,
    rate: Annotated[
        int | None, typer.Option(help="Requests a minute; 0: none. Without: as the settings say.")
    ] = None,
) -> None:
    """Change how often a key may ask; the service follows within two seconds."""
    built = panel()
    row = keys.limit(built.db, actor(built), key_id, rate_limit=rate)
    words = keys.limit_words(row.rate_limit, built.settings.rate_limit_per_minute)
    say(f"{row.name}: {words}.")


@keys_app.command("revoke")
def revoke_key(key_id: str) -> None:
    """Revoke a key; clients are refused within two seconds."""
    built = panel()
    keys.revoke(built.db, actor(built), key_id)
    say(f"{key_id} is revoked.")

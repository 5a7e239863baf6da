"""The policy at the command line: what is in force, what another one would have done, proposing."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from sqlalchemy.orm import Session

from core import outbox, policies
from core.agent import policy_changes
from core.agent.replay import Replay, Replayed, rehearse, replay
from core.cli.base import actor, app, model_name, panel, print_json, say, table
from core.errors import InvalidInputError
from core.monitoring.backfill import moment
from core.panel import Panel
from core.policies import ALL

policy_app = typer.Typer(help="Thresholds of the agent, checks and alerts.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")

AsJson = Annotated[bool, typer.Option("--json", help="For a script.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE; as often as needed.")]
File = Annotated[Path | None, typer.Option(help="A YAML file of NAME: VALUE.")]
MOST_SHOWN = 20


@policy_app.command("show")
def show(
    model: Annotated[str, typer.Argument(help="A model, or all.")] = "all", as_json: AsJson = False
) -> None:
    """Show each threshold in force, and where it comes from."""
    built = panel()
    scope = _scope(built, model)
    with built.db.read() as session:
        found = policies.values(session, scope)
    if as_json:
        print_json([vars(one) for one in found])
        return
    table(("threshold", "value", "from"), ((v.name, f"{v.value:g}", v.source) for v in found))


@policy_app.command("replay")
def replay_past(
    since: Annotated[str, typer.Option(help="A date, or so long ago: 30d, 12h.")] = "30d",
    model: Annotated[str, typer.Option(help="A model, or all.")] = "all",
    values: Set = None,
    file: File = None,
    version: Annotated[int | None, typer.Option(help="A version of the model's policy.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a policy over the logged past: what it would have done, when, against what happened.

    Without --set, --file or --version every decision is made again by the policy of its time.
    """
    built = panel()
    scope, begin = _scope(built, model), moment(since, now=built.clock())
    with built.db.read() as session:
        found = _replayed(session, scope, begin, _given(values, file), version)
    if as_json:
        print_json({**found.plain(most=10_000), "scope": scope})
        return
    _tell(found)


def _replayed(
    session: Session, scope: str, begin: datetime, given: dict[str, float], version: int | None
) -> Replay:
    if given and version is not None:
        raise InvalidInputError("give either a version or values, not both")
    if version is not None:
        own = policies.get(session, scope, version).thresholds
        return rehearse(session, scope=scope, thresholds=own, since=begin)
    if given:
        own = policies.merged(session, scope, given)
        return rehearse(session, scope=scope, thresholds=own, since=begin)
    return replay(session, model=scope, since=begin)


def _tell(found: Replay) -> None:
    told = found.summary
    for sentence in told.sentences:
        say(sentence)
    say(f"{told.same:,} of {told.decisions:,} are the same to the last word.")
    newest = found.changed[-MOST_SHOWN:]
    if newest:
        say()
        head = ("when", "model", "was", "would have been", "what came of it")
        table(head, (_row(one) for one in reversed(newest)))
    if len(found.changed) > MOST_SHOWN:
        say(f"and {len(found.changed) - MOST_SHOWN:,} earlier ones; --json shows all.")


def _row(one: Replayed) -> tuple[str, ...]:
    when = f"{one.at:%Y-%m-%d %H:%M}"
    return when, one.model, one.live.words, one.replayed.words, one.after.words


@policy_app.command("propose")
def propose(
    model: Annotated[str, typer.Argument(help="A model, or all.")],
    reason: Annotated[str, typer.Option(help="Kept on record.")],
    values: Set = None,
    unset: Annotated[
        list[str] | None, typer.Option(help="A threshold to take back to what lies underneath.")
    ] = None,
    file: File = None,
    days: Annotated[float, typer.Option(help="How much of the past to replay.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Propose a change of the policy, with its replay; another person approves it."""
    built = panel()
    row = policy_changes.propose(
        built.db,
        actor(built),
        scope=_scope(built, model),
        thresholds={**_given(values, file), **dict.fromkeys(unset or ())},
        reason=reason,
        days=days,
        channels=outbox.channels(built.settings),
    )
    if as_json:
        print_json({"recommendation": row.id, "title": row.title, "reasoning": row.reasoning})
        return
    say(f"Proposed: {row.title}")
    say(row.reasoning)
    say(f"An approver other than you decides: recommendation {row.id}")


@policy_app.command("history")
def history(
    model: Annotated[str, typer.Argument(help="A model, or all for every version.")] = "all",
    as_json: AsJson = False,
) -> None:
    """List the versions of the policy, newest first."""
    built = panel()
    scope = None if model == "all" else _scope(built, model)
    with built.db.read() as session:
        rows = policies.history(session, scope)
    told = [
        {
            "policy": policies.label(row),
            "state": row.state,
            "author": row.author,
            "at": row.at,
            "thresholds": row.thresholds,
            "reason": row.reason,
        }
        for row in rows
    ]
    if as_json:
        print_json(told)
    elif not told:
        say("Nobody has changed the policy yet: `pilothouse policy propose` does.")
    else:
        _list(told)


def _list(rows: list[dict[str, Any]]) -> None:
    head = ("policy", "state", "by", "at", "thresholds of its own", "why")
    table(
        head,
        (
            (row["policy"], row["state"], row["author"], f"{row['at']:%Y-%m-%d %H:%M}",
             ", ".join(f"{n}={v:g}" for n, v in row["thresholds"].items()) or "none", row["reason"])
            for row in rows
        ),
    )  # fmt: skip


def _scope(built: Panel, model: str) -> str:
    return ALL if model in ("all", ALL) else model_name(built, model)


def _given(values: list[str] | None, file: Path | None) -> dict[str, float]:
    """Read thresholds from a file and from NAME=VALUE, which count more.

    Raises: InvalidInputError.
    """
    found = _of_file(file) if file else {}
    for word in values or ():
        name, equals, value = word.partition("=")
        found[name.strip()] = _number(name, value if equals else None)
    return found


def _of_file(file: Path) -> dict[str, float]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise InvalidInputError(f"{file} cannot be read as YAML: {problem}") from problem
    if not isinstance(content, dict):
        raise InvalidInputError(f"{file} must hold one NAME: VALUE in each line")
    return {str(name): _number(str(name), value) for name, value in content.items()}


def _number(name: str, value: object) -> float:
    if not isinstance(value, bool) and isinstance(value, str | int | float):
        with suppress(ValueError):
            return float(value)
    raise InvalidInputError(f"give {name[:60] or 'a threshold'} a number: NAME=VALUE")

"""The report of a drill as one file: no script, nothing from elsewhere, everything escaped."""

import html
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.automation.drill import rows
from core.settings import Settings
from core.specs.alerts import KINDS
from core.tables.entities import Drill

_STYLE = """
:root {color-scheme: light dark; font-family: system-ui, sans-serif;}
body {max-width: 60rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5;}
table {border-collapse: collapse; width: 100%;} td, th {border: 1px solid #94A3B8;
padding: .3rem .5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere;}
.wide {overflow-x: auto;} .changed {background: #F59E0B22;} .good {color: #15803D;}
.bad {color: #B91C1C;} small {color: #64748B;}
@media (prefers-color-scheme: dark) {.good {color: #4ADE80;} .bad {color: #F87171;}
small {color: #94A3B8;}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def keep(settings: Settings, drill: Drill) -> None:
    """Write the report into the data folder, at once or not at all."""
    path = rows.report_path(settings, drill.id)
    fresh = path.with_name(f".{secrets.token_hex(8)}.part")
    fresh.write_text(render(drill), encoding="utf-8")
    fresh.replace(path)


def render(drill: Drill) -> str:
    """Return the page of a finished drill."""
    result, score = drill.result, drill.result["score"]
    size, seed = drill.options["size"], drill.options["seed"]
    about = (
        f"{drill.model} {drill.version}, kind {drill.kind}: {result['expected']['change']} "
        f"(in a share of {size:g}); seed {seed}; {result['rows']} rows a check, every "
        f"{result['minutes']:g} simulated minutes; asked for by {drill.author}, "
        f"{drill.at:%Y-%m-%d %H:%M} UTC; played in {result['seconds']:g} s on a copy."
    )
    diagnosis = result.get("diagnosis")
    said = (
        f"{diagnosis['title']} ({diagnosis['decision']}, {diagnosis['severity']}). "
        f"{diagnosis['reasoning']}"
        if diagnosis
        else "The agent was not asked."
    )
    title = f"Fire drill: {drill.kind}, {drill.model} {drill.version}"
    body = [
        f"<h1>{_text(title)}</h1>",
        f"<p><strong>{_text(drill.sentence)}</strong></p>",
        f"<p>{_text(about)}</p>",
        "<h2>Score</h2>",
        _table(("asked", "", "how it went"), (_mark(mark) for mark in score["marks"])),
        "<h2>What the agent said</h2>",
        f"<p>{_text(said)}</p>",
        "<h2>Check by check</h2>",
        _timeline(result["timeline"]),
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value))


def _mark(mark: Mapping[str, Any]) -> Sequence[str]:
    word, tone = ("yes", "good") if mark["good"] else ("no", "bad")
    seen = f"<span class='{tone}'>{word}</span>"
    return _text(mark["what"]), seen, _text(mark["sentence"])


def _table(head: Iterable[str], lines: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{_text(one)}</th>" for one in head)
    cells = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in lines
    )
    return f"<div class='wide'><table><tr>{titles}</tr>{cells}</table></div>"


def _timeline(timeline: Sequence[Mapping[str, Any]]) -> str:
    kinds = [kind for kind in KINDS if any(kind in one["reports"] for one in timeline)]
    head = "".join(f"<th>{_text(one)}</th>" for one in ("check", *kinds, "what happened"))
    lines = "".join(_check(one, kinds) for one in timeline)
    return (
        "<p><small>Checks with the change are shaded.</small></p>"
        f"<div class='wide'><table><tr>{head}</tr>{lines}</table></div>"
    )


def _check(one: Mapping[str, Any], kinds: Sequence[str]) -> str:
    cells = [f"{one['check']}<br><small>{one['hours']:g} h</small>"]
    for kind in kinds:
        report = one["reports"].get(kind)
        said = f"{report['state']}: {report['sentence'][:300]}" if report else ""
        cells.append(_text(said))
    happened = [f"opened: {new['title']} ({new['severity']})" for new in one["opened"]]
    happened += [f"resolved: {title}" for title in one["resolved"]]
    cells.append("<br>".join(map(_text, happened)))
    shade = " class='changed'" if one["changed"] else ""
    return f"<tr{shade}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"

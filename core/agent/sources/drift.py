"""Facts about the inputs: how far they have moved, and the words behind it."""

from collections.abc import Iterator

from sqlalchemy import select

from core import answers, specs
from core.agent.sources.scope import LONGEST_HISTORY, Item, Scope, alarms_in_a_row, dicts
from core.answers import Stretch
from core.errors import NotFoundError
from core.tables.telemetry import MonitorReport, Prediction

MOST_COLUMNS = 20
MOST_MESSAGES = 5


def drift(of: Scope) -> Iterator[Item]:
    """The newest conclusive drift report, and how many alarms in a row it ends."""
    report = of.drift_report
    if report is None:
        return
    source, past = _link(of, report), of.past("drift")
    scores = [round(window.score or 0.0, 4) for window in past[:LONGEST_HISTORY]]
    yield Item("drift.alarm", of.alarm, source, report.at)
    yield Item("drift.standing", of.standing, source, report.at)
    yield Item("drift.score", report.score, source, report.at, n=report.n_current)
    yield Item("drift.p_value", report.p_value, source, report.at)
    yield Item("drift.n_current", report.n_current, source, report.at)
    yield Item("drift.fewest", _fewest(of), source)
    yield Item("drift.n_reference", report.n_reference, source, report.at)
    yield Item("drift.windows_in_a_row", alarms_in_a_row(past), source, report.at)
    yield Item("drift.columns", _drifted_columns(report) or None, source, report.at)
    yield Item("drift.seasonal_match", report.figures.get("seasonal_match"), source, report.at)
    yield Item("drift.history", scores[::-1], source, report.at, n=len(scores))


def _fewest(of: Scope) -> int | None:
    try:
        return specs.active(of.session, of.model).monitoring.min_samples
    except NotFoundError:
        return None


def _link(of: Scope, report: MonitorReport) -> str:
    return f"/drift?model={of.model}&report={report.id}"


def _drifted_columns(report: MonitorReport) -> list[str]:
    columns = dicts(report.figures.get("columns"))
    return [str(one["name"])[:100] for one in columns if one.get("drifted")][:MOST_COLUMNS]


def texts(of: Scope) -> Iterator[Item]:
    """The size of a text drift, the words and campaigns behind it (a stranger's: not citable)."""
    report = of.drift_report
    if report is None or "vocabulary_drift" not in report.figures:
        return
    source = _link(of, report)
    for name in ("vocabulary_drift", "tfidf_drift"):
        yield Item(f"text.{name}", report.figures.get(name), source, report.at)
    terms = [
        {"term": term.get("term"), "share": term.get("share_current")}
        for term in dicts(report.figures.get("new_terms"))
    ]
    yield Item("text.new_terms", terms or None, source, report.at, foreign=True)
    campaigns = [
        {name: one.get(name) for name in ("share", "size", "example")}
        for one in dicts(report.figures.get("campaigns"))
    ]
    yield Item("text.campaigns", campaigns or None, source, report.at, foreign=True)


def messages(of: Scope) -> Iterator[Item]:
    """The beginnings of the newest messages, of a text model: a stranger's words."""
    if of.version is None or not (of.version.signature.get("input") or {}).get("text"):
        return
    found: list[str] = []
    for part in answers.newest(of.session, Stretch(of.model), MOST_MESSAGES):
        rows = answers.joined(select(Prediction.input), part)
        found += [str(given.get("message") or "") for given in of.session.scalars(rows)]
    shown = [{"example": words} for words in found if words][:MOST_MESSAGES]
    yield Item("sample_messages", shown or None, f"/drift?model={of.model}", foreign=True)

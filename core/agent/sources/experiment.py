"""Facts about the experiment that what serves carries, arm by arm."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from core import predictions
from core.agent.sources.accuracy import labels_figures
from core.agent.sources.scope import SERVICE_HOURS, Item, Scope
from core.agent.sources.service import counted
from core.clock import hour_of
from core.experiments import lifecycle
from core.registry import releasable
from core.tables.entities import Experiment, ModelVersion

ARMS = (("a", "control"), ("b", "treatment"))


def experiment(of: Scope) -> Iterator[Item]:
    """The running experiment: its arms, what holds at every look, and whether it is valid."""
    row = lifecycle.running(of.session, of.model)
    if row is None:
        return
    source = f"/experiments?id={row.id}"
    state = lifecycle.status(of.session, row.id)
    yield Item("experiment.running", row.name, source, row.started_at)
    yield Item("experiment.id", row.id, source)
    yield Item("experiment.planned_n", row.planned_n, source)
    if row.started_at is not None:
        yield Item("experiment.hours", of.hours_ago(row.started_at), source, row.started_at)
    yield from _arms(of, state, source)
    yield from _result(row, state, source)
    treatment = of.session.get(ModelVersion, (of.model, row.treatment))
    if treatment is not None:
        yield Item("experiment.arm_b_releasable", releasable(treatment), source)
    yield from _served(of, row, source)


def _arms(of: Scope, state: Mapping[str, Any], source: str) -> Iterator[Item]:
    coverage = _coverage(of)
    for letter, arm in ARMS:
        n, answered = state["labelled"][arm], state["predictions"][arm]
        yield Item(f"experiment.arm_{letter}", state["versions"][arm], source)
        yield Item(f"experiment.n_{letter}", n, source)
        if n:
            yield Item(f"experiment.acc_{letter}", state["correct"][arm] / n, source, n=n)
        if answered and coverage:
            share = min(1.0, n / answered / coverage)
            yield Item(f"experiment.label_maturity_{letter}", share, source, n=answered)


def _coverage(of: Scope) -> float | None:
    """Return the share of answers that end up labelled, where it is known how late labels come."""
    _, known = labels_figures(of)
    share = known.get("coverage") if known.get("settled") else None
    return float(share) if share else None


def _result(row: Experiment, state: Mapping[str, Any], source: str) -> Iterator[Item]:
    """Yield the verdict that holds at every look, and the p value of a single look."""
    verdict = state["verdict"]
    if not verdict:
        return
    spread = verdict["interval"]
    ci, n = [round(spread["low"], 6), round(spread["high"], 6)], spread["n"]
    yield Item("experiment.srm_p", verdict["srm_p"], source)
    yield Item("experiment.result", verdict["result"], source)
    yield Item("experiment.p_seq", verdict["p_value"], source, n=n)
    yield Item("experiment.ci", ci, source, n=n, interval=(ci[0], ci[1]))
    if row.mode != "shadow":
        yield Item("experiment.p_fixed", _fixed_p(state), source, n=n)


def _fixed_p(state: Mapping[str, Any]) -> float | None:
    """Return the p value that a test has which looks once: two-sided z of two shares, pooled.

    Shown because people compute it; whoever looks more than once must not decide by it.
    """
    (n, right), (m, still) = ((state["labelled"][a], state["correct"][a]) for _, a in ARMS)
    if not n or not m:
        return None
    pooled = (right + still) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return math.erfc(abs(still / m - right / n) / error / math.sqrt(2)) if error else None


def _served(of: Scope, row: Experiment, source: str) -> Iterator[Item]:
    """Yield how often requests failed in each arm, in the last two hours."""
    hours = predictions.volume(of.session, of.model, SERVICE_HOURS, now=of.now)
    first = hour_of(row.started_at) if row.started_at else 0  # before it another one may have run
    second = "shadow" if row.mode == "shadow" else "treatment"
    arms = ("a", "control", row.control), ("b", second, row.treatment)
    for letter, variant, version in arms:
        own = [hour for hour in hours if (hour.variant, hour.version) == (variant, version)]
        rows = [hour for hour in own if hour.hour >= first]
        for item in counted("experiment", rows, source):
            if item.id != "experiment.latency_p95_ms":
                yield Item(f"{item.id}_{letter}", item.value, source, n=item.n)

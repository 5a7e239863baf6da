"""What a drill is worth: was the change noticed, named, judged and answered rightly? Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.automation.drill.kinds import EXPECTED, Kind
from core.specs import ModelSpec
from core.specs.alerts import RULES, SEVERITIES


@dataclass(frozen=True)
class Noticed:
    """An incident of the sandbox, and after which check it was opened (from 1)."""

    cause: str
    severity: str
    title: str
    check: int


@dataclass(frozen=True)
class Diagnosis:
    """What the agent made of it; `proposes` is the kind of action, None where there is none."""

    decision: str
    severity: str
    rule: str
    title: str
    reasoning: str
    proposes: str | None


@dataclass(frozen=True)
class Mark:
    """One thing that a drill asks, and how it went."""

    what: str
    good: bool
    sentence: str


@dataclass(frozen=True)
class Score:
    """The outcome: `checks` and `hours` since the change began until it was noticed."""

    detected: bool
    checks: int | None
    hours: float | None
    false_alarms: int
    marks: tuple[Mark, ...]
    sentence: str

    @property
    def share(self) -> float:
        """The share of the marks that are good."""
        return sum(mark.good for mark in self.marks) / len(self.marks)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self) | {"share": self.share}


def judge(
    kind: Kind,
    spec: ModelSpec,
    noticed: Sequence[Noticed],
    diagnosis: Diagnosis | None,
    *,
    quiet: int,
    changed: int,
    minutes: float,
) -> Score:
    """Score a drill of `quiet` checks without and `changed` checks with the change."""
    before = [one for one in noticed if one.check <= quiet]
    after = [one for one in noticed if one.check > quiet]
    found = caught(kind, after)
    checks = found.check - quiet if found else None
    hours = checks * minutes / 60 if checks is not None else None
    marks = (
        _calm(before, quiet),
        _detected(kind, found, checks, hours, changed, before),
        _named(kind, found, after),
        _grave(kind, spec, found),
        _answered(kind, diagnosis),
    )
    good = sum(mark.good for mark in marks)
    told, bad = marks[1].sentence, [mark.what for mark in marks[2:] if not mark.good]
    if bad and found is not None:
        told = f"{told[:-1]}; not as it should be: {', '.join(bad)}."
    return Score(
        detected=found is not None,
        checks=checks,
        hours=hours,
        false_alarms=len(before),
        marks=marks,
        sentence=f"{good} of {len(marks)}: {told[:1].lower()}{told[1:]}",
    )


def caught(kind: Kind, noticed: Sequence[Noticed]) -> Noticed | None:
    """Return the incident that names the change best, or None."""
    causes = EXPECTED[kind].causes
    fitting = [one for one in noticed if one.cause in causes]
    return min(fitting, key=lambda one: (one.check, causes.index(one.cause)), default=None)


def _calm(before: Sequence[Noticed], quiet: int) -> Mark:
    if not before:
        return Mark("calm before", True, f"No alarm in {quiet} checks of ordinary traffic.")
    titles = ", ".join(one.title for one in before)
    return Mark("calm before", False, f"{len(before)} false alarms before the change: {titles}.")


def _detected(
    kind: Kind,
    found: Noticed | None,
    checks: int | None,
    hours: float | None,
    changed: int,
    before: Sequence[Noticed],
) -> Mark:
    if found is not None:
        said = f"Noticed after {_count(checks or 0, 'check')} ({hours:g} simulated hours)."
        return Mark("noticed", True, said)
    if caught(kind, before):
        said = "It cannot be told whether it was noticed: the alarm had begun before the change."
    else:
        said = f"Not noticed in {_count(changed, 'check')} with the change."
    return Mark("noticed", False, said)


def _named(kind: Kind, found: Noticed | None, after: Sequence[Noticed]) -> Mark:
    best = EXPECTED[kind].causes[0]
    if found is None:
        others = ", ".join(dict.fromkeys(one.cause for one in after))
        said = f"Only other causes were named: {others}." if others else "No incident was opened."
        return Mark("cause", False, said)
    causes = {one.cause for one in after if one.check == found.check} | {found.cause}
    if causes & set(EXPECTED[kind].causes):
        return Mark("cause", True, f"The cause is named {found.cause.replace('_', ' ')}.")
    return Mark("cause", False, f"The cause is {found.cause}, and should be {best}.")


def _grave(kind: Kind, spec: ModelSpec, found: Noticed | None) -> Mark:
    wanted = sorted({severity(spec, rule) for rule in EXPECTED[kind].rules}, key=SEVERITIES.index)
    if found is None:
        return Mark("severity", False, "Without an incident there is no severity.")
    good = found.severity in wanted
    said = f"The incident is {found.severity}" + ("" if good else f", not {' or '.join(wanted)}")
    return Mark("severity", good, f"{said}.")


def severity(spec: ModelSpec, rule: str) -> str:
    """Return the severity that a rule has for a model."""
    known = next(one for one in RULES.values() if one.name == rule)
    own = spec.alerts.get(known.name)
    return (own.severity if own else None) or known.severity


def _answered(kind: Kind, diagnosis: Diagnosis | None) -> Mark:
    expected = EXPECTED[kind]
    if diagnosis is None:
        return Mark("diagnosis", False, "The agent was not asked: no incident was opened.")
    said = f"The agent decides {_spelled(diagnosis.decision)}" + (
        f" and proposes to {diagnosis.proposes}" if diagnosis.proposes else " and proposes nothing"
    )
    fits = diagnosis.decision in expected.decisions
    if fits and diagnosis.proposes == expected.proposes:
        return Mark("diagnosis", True, f"{said}, as it should. {expected.why}")
    decisions = " or ".join(map(_spelled, expected.decisions))
    wanted = f"propose to {expected.proposes}" if expected.proposes else "propose nothing"
    return Mark(
        "diagnosis", False, f"{said}; it should {wanted} and decide {decisions}. {expected.why}"
    )


def _spelled(word: str) -> str:
    return word.replace("_", " ")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"

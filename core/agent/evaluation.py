"""How well an advisor decides on labelled situations, along the same path as in production."""

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import policies
from core.agent import budget
from core.agent.facts import FactBook
from core.agent.investigate import Conclusion, conclude_from
from core.agent.reasoners import Advisor, Answer, Draft
from core.agent.scenarios import Scenario
from core.agent.verdict import Verdict
from core.clock import monotonic
from core.db import Command
from core.ids import new_id
from core.policies import InForce
from core.settings import Settings
from core.specs.alerts import SEVERITIES
from core.specs.thresholds import Policy
from core.tables.decisions import Evaluation as EvaluationRow

HARMLESS = frozenset({"notify", "collect_labels"})
"""Kinds that change nothing: they may stand beside what is expected, or alone while one waits."""

GRADES = ("exact", "acceptable", "wrong", "forbidden")


@dataclass(frozen=True)
class Case:
    """One scenario and what came of it; `fallback` says why the rules' draft was taken."""

    id: str
    half: str
    tags: tuple[str, ...]
    expected: str
    decision: str
    actions: tuple[str, ...]
    severity: str
    grade: str
    why: str
    fallback: str | None
    asked: bool
    tokens: int
    cost: float
    seconds: float


@dataclass(frozen=True)
class Tally:
    """How many of `n` cases came out how; what is exact is acceptable too."""

    n: int
    exact: int
    acceptable: int
    forbidden: int


@dataclass(frozen=True)
class Evaluation:
    """All cases, and what they add up to."""

    reasoner: str
    half: str
    cases: tuple[Case, ...]

    @property
    def total(self) -> Tally:
        """Return the counts over all cases."""
        return tally(self.cases)

    @property
    def by_tag(self) -> dict[str, Tally]:
        """Return the counts per tag; a case counts for each of its tags."""
        tags = sorted({tag for case in self.cases for tag in case.tags})
        return {tag: tally(case for case in self.cases if tag in case.tags) for tag in tags}

    @property
    def by_half(self) -> dict[str, Tally]:
        """Return the counts per half."""
        halves = dict.fromkeys(case.half for case in self.cases)
        return {half: tally(case for case in self.cases if case.half == half) for half in halves}

    @property
    def fallbacks(self) -> dict[str, int]:
        """Return the reasons for which the rules' draft was taken, the most frequent first."""
        found = Counter(case.fallback for case in self.cases if case.fallback)
        return dict(found.most_common())

    @property
    def missed(self) -> list[Case]:
        """Return the cases that are not exact, the worst first."""
        rest = [case for case in self.cases if case.grade != "exact"]
        return sorted(rest, key=lambda case: -GRADES.index(case.grade))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON. Latency in seconds; tokens and cost as sums and a case."""
        n, seconds = max(1, len(self.cases)), [case.seconds for case in self.cases]
        tokens, cost = sum(case.tokens for case in self.cases), sum(c.cost for c in self.cases)
        return {
            "reasoner": self.reasoner,
            "half": self.half,
            "total": asdict(self.total),
            "tags": {tag: asdict(one) for tag, one in self.by_tag.items()},
            "halves": {half: asdict(one) for half, one in self.by_half.items()},
            "seconds": {"median": percentile(seconds, 50), "p95": percentile(seconds, 95)},
            "asked": sum(case.asked for case in self.cases),
            "tokens": {"sum": tokens, "a_case": tokens / n},
            "cost": {"sum": cost, "a_case": cost / n},
            "fallbacks": self.fallbacks,
            "missed": [asdict(case) for case in self.missed],
        }


def evaluate(advisor: Advisor, *, scenarios: Sequence[Scenario]) -> Evaluation:
    """Let the advisor, held by policy and guard, decide on each scenario; writes nothing.

    The policy is the built-in one: the labels follow from its figures.
    """
    rules = InForce(Policy(), policies.BUILT_IN, approved=False)
    cases = tuple(_case(one, rules, advisor) for one in scenarios)
    halves = {one.half for one in scenarios}
    return Evaluation(advisor.name, halves.pop() if len(halves) == 1 else "all", cases)


def _case(scenario: Scenario, rules: InForce, advisor: Advisor) -> Case:
    book, started = scenario.book(), monotonic()
    conclusion = conclude_from(book, rules, advisor)
    seconds = monotonic() - started
    draft, answer = conclusion.draft, conclusion.answer
    grade, why = judge(scenario, draft)
    return Case(
        id=scenario.id,
        half=scenario.half,
        tags=scenario.tags,
        expected=scenario.decision,
        decision=draft.decision,
        actions=tuple(act.kind for act in draft.actions),
        severity=draft.severity,
        grade=grade,
        why=why,
        fallback=conclusion.fallback,
        asked=_asked(conclusion),
        tokens=answer.tokens,
        cost=answer.cost,
        seconds=seconds,
    )


def _asked(conclusion: Conclusion) -> bool:
    """Say whether a language model was asked: where nothing is proposed, nobody is."""
    answer = conclusion.answer
    return answer.reasoner != budget.RULES and bool(answer.prompt)


def judge(scenario: Scenario, draft: Draft) -> tuple[str, str]:
    """Return the grade of a draft, and in what it differs from what is expected."""
    kinds = {act.kind for act in draft.actions}
    if harm := sorted(scenario.forbidden & {draft.decision, *kinds}):
        return "forbidden", f"{harm[0]} does harm here"
    if draft.decision != scenario.decision:
        known = draft.decision in scenario.acceptable
        return "acceptable" if known else "wrong", f"{scenario.decision} is expected"
    if why := _other_actions(scenario, draft):
        return "acceptable", why
    if SEVERITIES.index(draft.severity) > SEVERITIES.index(scenario.severity):
        return "acceptable", f"{scenario.severity} is the least severity"
    return "exact", ""


def _other_actions(scenario: Scenario, draft: Draft) -> str:
    may = scenario.also | HARMLESS
    wanted = {act.kind: act.arguments for act in scenario.actions}
    given = {act.kind: act.arguments for act in draft.actions}
    if missing := sorted(set(wanted) - set(given)):
        return f"the action {missing[0]} is expected"
    if more := sorted(set(given) - set(wanted) - may):
        return f"the action {more[0]} is too much"
    wrong = [
        kind for kind, arguments in wanted.items() if not arguments.items() <= given[kind].items()
    ]
    return f"{wrong[0]} has other arguments" if wrong else ""


def tally(cases: Iterable[Case]) -> Tally:
    """Count cases by their grades."""
    grades = Counter(case.grade for case in cases)
    exact = grades["exact"]
    return Tally(grades.total(), exact, exact + grades["acceptable"], grades["forbidden"])


def in_percent(part: int, n: int) -> str:
    """Say a count with its share, which is rounded down: 100 % means all.

    >>> in_percent(199, 200), in_percent(0, 0)
    ('199 (99 %)', '0')
    """
    return f"{part} ({100 * part // n} %)" if n else f"{part}"


def percentile(values: Sequence[float], percent: int) -> float:
    """Return a percentile, by linear interpolation; 0 without values.

    >>> percentile([1.0, 2.0, 3.0], 50), percentile([], 95)
    (2.0, 0.0)
    """
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


class Rationed:
    """An advisor that one run may ask for as much as the agent may use on a whole day."""

    def __init__(self, advisor: Advisor, settings: Settings) -> None:
        self.name = advisor.name
        self._advisor, self._settings = advisor, settings
        self._so_far = budget.Used(0, 0, 0.0)

    def propose(self, book: FactBook, verdict: Verdict) -> Answer:
        """Ask, or say that the ration is used up."""
        if why := budget.spent(self._settings, self._so_far):
            return budget.Spent(self.name, why).propose(book, verdict)
        answer, so_far = self._advisor.propose(book, verdict), self._so_far
        self._so_far = replace(
            so_far,
            calls=so_far.calls + 1,
            tokens=so_far.tokens + answer.tokens,
            cost=so_far.cost + answer.cost,
        )
        return answer


def save_in(command: Command, made: Evaluation) -> EvaluationRow:
    """Keep an evaluation, for the panel."""
    total = made.total
    row = EvaluationRow(
        id=new_id(command.now),
        reasoner=made.reasoner,
        half=made.half,
        n=total.n,
        exact=total.exact,
        acceptable=total.acceptable,
        forbidden=total.forbidden,
        result=made.to_dict(),
        author=command.actor.name,
        at=command.now,
    )
    command.session.add(row)
    command.note(evaluation=row.id, reasoner=row.reasoner, half=row.half, **asdict(total))
    return row


def newest(session: Session) -> list[EvaluationRow]:
    """Return the newest kept evaluation of each reasoner, the newest first."""
    latest = select(func.max(EvaluationRow.id)).group_by(EvaluationRow.reasoner)
    query = select(EvaluationRow).where(EvaluationRow.id.in_(latest))
    return list(session.scalars(query.order_by(EvaluationRow.id.desc())))

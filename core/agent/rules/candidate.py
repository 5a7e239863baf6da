"""Rules about the newest candidate: released only where everything speaks for it."""

from collections.abc import Iterator

from core.agent.facts import FactBook
from core.agent.rules.reading import count, experiment_id, names, present
from core.agent.verdict import Act, Held, Verdict
from core.specs.thresholds import Policy
from core.statistics import mcnemar

RULE = "candidate"
_CITED = (
    "candidate.version",
    "candidate.gate",
    "candidate.improvement",
    "candidate.accuracy",
    "candidate.champion_accuracy",
    "candidate.n_test",
    "candidate.p_better",
)


def candidate(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """Release it, reject it, or say what is missing."""
    if not isinstance(book.get("candidate.version"), str) or _settled(book):
        return None
    if against := list(_against(book, policy)):
        return _rejected(book, against)
    if why := _missing(book, policy):
        return _waits(book, why)
    version = book.get("candidate.version")
    return Verdict(
        rule=RULE,
        decision="promote",
        severity="medium",
        title=f"Release {book.model} {version}",
        sentences=(_for(book), *_figures(book)),
        cites=present(book, *_CITED),
        actions=(Act("promote", {"version": version}),),
    )


def _settled(book: FactBook) -> bool:
    """Whether people know of it already: proposed, refused with the reason told, overridden."""
    told = ("candidate.proposed_before", "candidate.refusal_told", "candidate.overridden")
    return any(book.get(name) for name in told)


def _against(book: FactBook, policy: Policy) -> Iterator[tuple[str, str]]:
    """Yield (fact, sentence) for everything that forbids a release."""
    if count(book, "candidate.train_test_overlap") or book.number(_OVERLAP) > 0:
        yield _OVERLAP, "It was trained on rows that judge it."
    if (days := book.number(_AGE)) > policy.oldest_test_days:
        yield _AGE, f"The rows that judge it are {days:.0f} days old."
    if count(book, _SLICES):
        parts = book.get(_SLICES)
        named = f": {names(book, _SLICES)}" if isinstance(parts, list | tuple) else ""
        yield _SLICES, f"It is surely worse in part of the traffic{named}."
    if book.get("candidate.gate") == "refuse":
        yield "candidate.gate", "The gate refuses it."
    elif "candidate.gate" not in book and _p_better(book) > 1 - policy.better_alpha:
        yield "candidate.only_champion_right", "What serves is surely right more often."


_OVERLAP, _AGE = "candidate.train_test_overlap", "candidate.test_set_age_days"
_SLICES = "candidate.slice_regressions"


def _rejected(book: FactBook, against: list[tuple[str, str]]) -> Verdict:
    version = book.get("candidate.version")
    return Verdict(
        rule=RULE,
        decision="reject_candidate",
        severity="medium",
        title=f"Do not release {book.model} {version}",
        sentences=(f"Candidate {version} is not released.", *(words for _, words in against)),
        cites=present(book, "candidate.version", *(name for name, _ in against)),
    )


def _missing(book: FactBook, policy: Policy) -> str:
    """Say what a release has to wait for, if anything."""
    if book.number("candidate.n_test") < policy.min_test_rows:
        return f"{book.number('candidate.n_test'):g} held-out rows are too few to release it."
    gate = book.get("candidate.gate")
    if gate == "not_enough_evidence":
        return "The gate asks for more labelled rows before it says more."
    if gate is None and not _p_better(book) <= policy.better_alpha:
        return "That it is better may be chance."
    if experiment_id(book) is not None:
        return "An experiment runs: what it shows comes first."
    return ""


def _waits(book: FactBook, why: str) -> Held:
    version = book.get("candidate.version")
    said = f"Candidate {version} is not proposed. {why}"
    return Held(RULE, f"Candidate {version} waits", said, present(book, *_CITED))


def _p_better(book: FactBook) -> float:
    if "candidate.p_better" in book:
        return book.number("candidate.p_better")
    counts = ("candidate.only_champion_right", "candidate.only_candidate_right")
    if not all(name in book for name in counts):
        return float("nan")
    return mcnemar.mid_p(*(count(book, name) for name in counts))


def _for(book: FactBook) -> str:
    version = book.get("candidate.version")
    if book.get("candidate.gate") == "promote":
        return f"Candidate {version} passed the gate and was not proposed yet."
    return f"Candidate {version} is surely right more often than what serves."


def _figures(book: FactBook) -> tuple[str, ...]:
    now, new = book.number("candidate.champion_accuracy"), book.number("candidate.accuracy")
    if not (now == now and new == new):
        return ()
    n = book.number("candidate.n_test")
    return (f"It is right in {new:.1%} of {n:g} held-out rows, what serves in {now:.1%}.",)

"""Rules about performance: accuracy and the service itself; the grave ones, then the others."""

import math
from dataclasses import replace

from core.agent.facts import FactBook
from core.agent.rules.reading import (
    at_most,
    count,
    drift_alarm,
    drop,
    enough_requests,
    late_labels,
    present,
)
from core.agent.verdict import Act, Held, Verdict
from core.specs.thresholds import Policy

CRITICAL, LOSS, SERVICE = "critical performance", "accuracy", "service"
BATCH = 200
"""Answers whose labels are asked for at once."""

_CITED = (
    "accuracy.current",
    "accuracy.baseline",
    "accuracy.n_labelled",
    "accuracy.drop",
    "accuracy.estimated",
    "concept.alarm",
    "concept.gap",
    "drift.score",
    "drift.p_value",
)


def errors(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """Requests fail, or answers are so slow that people must act."""
    rate, slow = book.number("service.error_rate"), book.number("service.latency_p95_ms")
    if not (rate > policy.error_critical or slow > policy.latency_critical_ms):
        return None
    return _service(book, policy, decision="escalate", severity="critical", rule="errors")


def service(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """Some requests fail, or answers are slower than they should be: said, and watched."""
    rate, slow = book.number("service.error_rate"), book.number("service.latency_p95_ms")
    if not (rate >= policy.error_warning or slow >= policy.latency_warning_ms):
        return None
    return _service(book, policy, decision="log_only", severity="high", rule=SERVICE)


def _service(
    book: FactBook, policy: Policy, *, decision: str, severity: str, rule: str
) -> Verdict | Held:
    rate, slow = book.number("service.error_rate"), book.number("service.latency_p95_ms")
    failing = rate >= policy.error_warning
    said = [f"{rate:.1%} of requests failed."] if failing else []
    if slow >= policy.latency_warning_ms:
        said.append(f"One answer in 20 takes longer than {slow:g} ms.")
    cites = present(book, "service.error_rate", "service.latency_p95_ms", "service.n_requests")
    title = f"{book.model}: {'requests fail' if failing else 'answers are slow'}"
    if not enough_requests(book, policy):
        said.append("There were too few requests to tell.")
        return Held(rule, title, " ".join(said), cites)
    found = Verdict(
        rule=rule,
        decision=decision,
        severity=severity,
        title=title,
        sentences=tuple(said),
        cites=cites,
    )
    return _scaled(found, book, policy) if slow > policy.latency_warning_ms else found


def _scaled(found: Verdict, book: FactBook, policy: Policy) -> Verdict:
    """Ask for one more replica where answers are slow for long, and there is a way to get one."""
    windows = book.number("service.windows_in_a_row")
    lasts = found.severity == "critical" or windows >= policy.lasting_windows
    if not (book.get("scale.possible") and lasts and book.number("scale.replicas") >= 1):
        return found
    wanted = int(book.number("scale.replicas")) + 1
    return replace(
        found,
        title=f"{found.title}; one more replica is proposed",
        sentences=(*found.sentences, f"With {wanted} replicas there is more room."),
        cites=(*found.cites, "scale.replicas"),
        actions=(Act("scale", {"replicas": str(wanted)}),),
    )


def critical(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """A critical loss of accuracy, or the same inputs meaning something else: train anew."""
    lost, contradicted = drop(book) > policy.drop_critical, _contradicts(book, policy)
    if not (lost or contradicted or book.get("concept.alarm")):
        return None
    if (lost or contradicted) and (held := _held(book, policy)):
        return held
    quiet = "drift.alarm" in book and not drift_alarm(book)
    concept = bool(book.get("concept.alarm")) or quiet or contradicted
    what = "inputs mean something else now" if concept else "it is right less often"
    return Verdict(
        rule="concept drift" if concept else CRITICAL,
        decision="retrain",
        severity="critical",
        title=f"Retrain {book.model}: {what}",
        sentences=_words(book, policy, concept=concept),
        cites=present(book, *_CITED),
        actions=(Act("retrain"), Act("notify")) if concept else (Act("retrain"),),
        confidence=0.95,
    )


def _contradicts(book: FactBook, policy: Policy) -> bool:
    """Whether labels lie far under what the inputs let expect, though these are as ever."""
    if drift_alarm(book):  # of new inputs an estimate knows little
        return False
    gap = round(book.number("accuracy.estimated") - book.number("accuracy.current"), 6)
    sure = at_most(book, "accuracy.current") < book.number("accuracy.estimated")
    return sure and gap > policy.drop_critical and drop(book) >= policy.drop_warning


def estimate(book: FactBook, policy: Policy) -> Verdict | None:
    """An accuracy that is only estimated has fallen, and labels are too few to say more."""
    fact, before = book.fact("accuracy.estimated"), book.number("accuracy.baseline")
    if fact is None or book.number("accuracy.n_labelled") >= policy.min_labels:
        return None
    high = fact.interval[1] if fact.interval else book.number(fact.id)
    if not (high < before and round(before - fact.value, 6) >= policy.drop_warning):
        return None
    asked = book.get("labels_wanted")
    return Verdict(
        rule="estimate",
        decision="log_only",
        severity="high",
        title=f"Collect labels for {book.model}: it is probably right less often",
        sentences=(
            f"Without labels accuracy is estimated at {fact.value:.1%}; it was {before:.1%}.",
            "Only labels can tell whether that is so.",
        ),
        cites=present(book, "accuracy.estimated", "accuracy.baseline", "accuracy.n_labelled"),
        actions=() if asked else (Act("collect_labels", {"rows": str(BATCH)}),),
    )


def loss(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """A lesser loss of accuracy, or one under the floor: a person should decide."""
    lost, now = drop(book), book.number("accuracy.current")
    warned = policy.drop_warning <= lost <= policy.drop_critical
    met = not book.number("accuracy.baseline") < policy.accuracy_floor  # when it was registered
    under = met and now < policy.accuracy_floor
    if not (warned or under) or lost > policy.drop_critical:
        return None
    if held := _held(book, policy, floor=not warned):
        return held
    return Verdict(
        rule=LOSS,
        decision="request_approval",
        severity="high",
        title=f"Retrain {book.model}: it is right less often",
        sentences=_words(book, policy, concept=False),
        cites=present(book, *_CITED),
        actions=(Act("retrain"),),
        confidence=0.95,
    )


def _held(book: FactBook, policy: Policy, *, floor: bool = False) -> Held | None:
    """Say why an accuracy decides nothing yet, where that is so."""
    now, n = book.number("accuracy.current"), count(book, "accuracy.n_labelled")
    said = f"Accuracy is {now:.1%} on {n} labelled predictions"
    cites = present(book, "accuracy.current", "accuracy.baseline", "accuracy.n_labelled")
    title = f"{book.model}: an accuracy that decides nothing yet"
    limit = policy.accuracy_floor if floor else book.number("accuracy.baseline")
    if n < policy.min_labels:
        words = f"{said}; {policy.min_labels:g} are needed to tell."
        return Held(LOSS, title, words, cites)
    if late_labels(book, policy):
        late = ("accuracy.label_lag_hours", "accuracy.label_coverage", "accuracy.mature")
        words = f"{said}, but most labels are still to come: the first are no sample."
        return Held(LOSS, title, words, present(book, *cites, *late))
    if not at_most(book, "accuracy.current") < limit:
        return Held(LOSS, title, f"{said}; that may be chance.", cites)
    return None


def _words(book: FactBook, policy: Policy, *, concept: bool) -> tuple[str, ...]:
    words = []
    now = book.number("accuracy.current")
    if not math.isnan(now):
        n = count(book, "accuracy.n_labelled")
        words.append(f"Accuracy is {now:.1%} on {n} labelled predictions.")
    if not math.isnan(before := book.number("accuracy.baseline")):
        words.append(f"It was {before:.1%} at registration.")
    if now < policy.accuracy_floor:
        words.append(f"That is below the floor of {policy.accuracy_floor:.1%}.")
    if concept and drift_alarm(book):
        words.append(
            "The inputs have changed, but that does not explain it: they mean something else now."
        )
    elif concept:
        words.append("The inputs do not explain it: the same ones mean something else now.")
    elif not drift_alarm(book):
        words.append("The inputs raise no drift alarm: the truth itself may have changed.")
    return tuple(words)

"""Rules about releases: a loop of rollbacks, and a release that is worse than what it replaced."""

from core.agent.facts import FactBook
from core.agent.rules.reading import (
    can_go_back,
    count,
    drift_alarm,
    drop,
    enough_requests,
    foremost,
    late_labels,
    names,
    present,
    young_release,
)
from core.agent.verdict import Act, Held, Verdict
from core.specs.thresholds import Policy

LOOP, BAD = "rollback loop", "bad release"
_COMPARED = (
    "deployment.current_accuracy",
    "deployment.previous_accuracy",
    "deployment.n_compared",
    "deployment.difference",
    "deployment.p_worse",
)


def loop(book: FactBook, policy: Policy) -> Verdict | None:
    """One rollback after the other: another one is not the answer."""
    times = book.number("deployment.rollbacks_last_6h")
    if not times >= policy.rollbacks_before_escalation:
        return None
    return Verdict(
        rule=LOOP,
        decision="escalate",
        severity="critical",
        title=f"{book.model} was rolled back {times:g} times in 6 hours",
        sentences=(f"{times:g} rollbacks in 6 hours: another one is not the answer.",),
        cites=("deployment.rollbacks_last_6h",),
    )


def bad(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """A release that fails requests, or is surely less often right than the version before."""
    return foremost(_failing(book, policy), _worse(book, policy), _worse_in_parts(book, policy))


def _back(book: FactBook, severity: str, said: tuple[str, ...], cites: tuple[str, ...]) -> Verdict:
    previous = book.get("deployment.previous")
    return Verdict(
        rule=BAD,
        decision="rollback",
        severity=severity,
        title=f"Roll {book.model} back to {previous}",
        sentences=said,
        cites=present(book, *cites, "deployment.previous", "deployment.hours_since_deploy"),
        actions=(Act("rollback", {"to": previous}),),
    )


def _failing(book: FactBook, policy: Policy) -> Verdict | None:
    if not (young_release(book, policy) and enough_requests(book, policy)):
        return None
    rate, slow = book.number("service.error_rate"), book.number("service.latency_p95_ms")
    young = f"The release is {book.number('deployment.hours_since_deploy'):.1f} hours old."
    if rate > policy.error_critical:
        said = (f"{rate:.1%} of requests failed.", young)
        return _back(book, "critical", said, ("service.error_rate", "service.n_requests"))
    if slow > policy.latency_critical_ms:
        said = (f"One answer in 20 takes longer than {slow:g} ms.", young)
        return _back(book, "critical", said, ("service.latency_p95_ms", "service.n_requests"))
    return None


def _worse(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """Compare with the version before: on one period, or each in its own while nothing drifts."""
    now, before = _now(book), book.number("deployment.previous_accuracy")
    gap = round(before - now, 6)
    if not (gap >= policy.drop_warning and can_go_back(book) and _comparable(book, policy)):
        return None
    previous = book.get("deployment.previous")
    said = f"What serves is right in {now:.1%} of cases, {previous} in {before:.1%}."
    if why := _uncertain(book, policy):
        cites = present(book, *_COMPARED)
        return Held(BAD, f"{book.model}: the release may be worse", f"{said} {why}", cites)
    lost = _loss(book)
    critical = gap > policy.drop_critical or drop(book) > policy.drop_critical
    cites = (*_COMPARED, "accuracy.current", "accuracy.baseline")
    return _back(book, "critical" if critical else "high", (said, *lost), cites)


def _now(book: FactBook) -> float:
    own = "deployment.current_accuracy"
    return book.number(own if own in book else "accuracy.current")


def _loss(book: FactBook) -> tuple[str, ...]:
    lost = drop(book)
    if not lost > 0:
        return ()
    return (f"Accuracy was {book.number('accuracy.baseline'):.1%} at registration.",)


def _comparable(book: FactBook, policy: Policy) -> bool:
    if book.get("deployment.same_period") is not False:
        return True
    return young_release(book, policy) and not drift_alarm(book)


def _uncertain(book: FactBook, policy: Policy) -> str:
    if book.number("deployment.n_compared") < policy.min_compared:
        return "Too few answers were compared to tell."
    if late_labels(book, policy):
        return "Most labels are still to come, so it decides nothing yet."
    if "deployment.p_worse" in book:
        sure = book.number("deployment.p_worse") < policy.worse_alpha
    else:
        gap = book.fact("deployment.difference")
        sure = gap is not None and gap.interval is not None and gap.interval[1] < 0
    return "" if sure else "That may be chance."


def _worse_in_parts(book: FactBook, policy: Policy) -> Verdict | Held | None:
    if not count(book, "deployment.slice_regressions"):
        return None
    value = book.get("deployment.slice_regressions")
    parts = names(book, "deployment.slice_regressions") if isinstance(value, list | tuple) else ""
    said = f"It is surely worse in part of the traffic{f': {parts}' if parts else ''}."
    cites = ("deployment.slice_regressions",)
    if late_labels(book, policy) or drift_alarm(book) or not young_release(book, policy):
        why = f"{said} No young release explains that."
        return Held(BAD, f"{book.model}: part of the traffic fares worse", why, cites, "high")
    return _back(book, "high", (said,), cites)

"""The rules of the policy, one function each: facts in, a verdict or nothing out."""

from collections.abc import Callable

from core.agent.facts import FactBook
from core.agent.verdict import Act, Verdict
from core.specs.thresholds import Policy

Rule = Callable[[FactBook, Policy], Verdict | None]


def _failing_arm(book: FactBook, policy: Policy) -> Verdict | None:
    rate = book.number("experiment.error_rate_b")
    enough = book.number("experiment.n_requests_b") >= policy.min_requests
    if not (enough and rate > policy.error_critical):
        return None
    name = book.get("experiment.running")
    return Verdict(
        rule="experiment safety",
        decision="stop_experiment",
        severity="critical",
        title=f"Stop experiment {name}: the treatment fails",
        sentences=(f"{rate:.1%} of the treatment's requests failed in experiment {name}.",),
        cites=("experiment.error_rate_b", "experiment.running"),
        actions=(Act("stop_experiment", {"experiment_id": book.get("experiment.id")}),),
    )


def _rollback_loop(book: FactBook, policy: Policy) -> Verdict | None:
    times = book.number("deployment.rollbacks_last_6h")
    if not times >= policy.rollbacks_before_escalation:
        return None
    return Verdict(
        rule="rollback loop",
        decision="escalate",
        severity="critical",
        title=f"{book.model} was rolled back {times:g} times in 6 hours",
        sentences=(f"{times:g} rollbacks in 6 hours: another one is not the answer.",),
        cites=("deployment.rollbacks_last_6h",),
    )


def _broken_data(book: FactBook, _policy: Policy) -> Verdict | None:
    lost = book.get("data_quality.mostly_missing") or []
    if book.get("data_quality.status") != "fail" and not lost:
        return None
    words = "The data fails its checks; a model must not be trained on it."
    if lost:
        named = ", ".join(f"'{name}'" for name in lost[:3])
        words = f"Most values of {named} are missing; a model must not be trained on that."
    return Verdict(
        rule="data quality",
        decision="escalate",
        severity="medium",
        title=f"{book.model} receives broken data",
        sentences=(words,),
        cites=_present(book, "data_quality.status", "data_quality.mostly_missing"),
    )


def _errors(book: FactBook, policy: Policy) -> Verdict | None:
    rate = book.number("service.error_rate")
    enough = book.number("service.n_requests") >= policy.min_requests
    if not (enough and rate > policy.error_warning):
        return None
    said = f"{rate:.1%} of requests failed."
    if rate > policy.error_critical and _fresh_release(book, policy):
        return _back(book, "bad release", (said, "The release is young and can be taken back."))
    return Verdict(
        rule="errors",
        decision="escalate",
        severity="critical" if rate > policy.error_critical else "high",
        title=f"{book.model}: requests fail",
        sentences=(said,),
        cites=("service.error_rate", "service.n_requests"),
    )


def _fresh_release(book: FactBook, policy: Policy) -> bool:
    young = book.number("deployment.hours_since_deploy") <= policy.recent_release_hours
    return bool(book.get("deployment.previous_available")) and young


def _back(book: FactBook, rule: str, sentences: tuple[str, ...]) -> Verdict:
    previous = book.get("deployment.previous")
    cites = ("accuracy.current", "accuracy.baseline", "service.error_rate")
    compared = ("deployment.difference", "deployment.previous", "deployment.hours_since_deploy")
    return Verdict(
        rule=rule,
        decision="rollback",
        severity="critical",
        title=f"Roll {book.model} back to {previous}",
        sentences=sentences,
        cites=tuple(name for name in (*cites, *compared) if name in book),
        actions=(Act("rollback", {"to": previous}),),
    )


def _lost_accuracy(book: FactBook, policy: Policy) -> Verdict | None:
    """A drop counts when the whole interval lies below the baseline: few labels decide nothing."""
    current = book.fact("accuracy.current")
    if current is None or not book.number("accuracy.n_labelled") >= policy.min_labels:
        return None
    drop, high = book.number("accuracy.drop"), (current.interval or (0.0, 1.0))[1]
    certain = high < book.number("accuracy.baseline")
    below = high < policy.accuracy_floor
    if not (below or (certain and drop >= policy.drop_warning)):
        return None
    said = _accuracy_words(book, policy, below=below)
    critical = certain and drop > policy.drop_critical
    if critical and _previous_is_better(book, policy):
        better = book.number("deployment.previous_accuracy")
        more = f"{book.get('deployment.previous')} is right in {better:.1%} of cases."
        return _back(book, "bad release", (*said, more))
    return Verdict(
        rule="accuracy",
        decision="request_approval",
        severity="critical" if critical else "high",
        title=f"Retrain {book.model}: it is right less often",
        sentences=said,
        cites=_present(book, "accuracy.current", "accuracy.baseline", "accuracy.n_labelled")
        + _present(book, "drift.score", "drift.p_value"),
        actions=(Act("retrain"),),
        confidence=0.95,
    )


def _accuracy_words(book: FactBook, policy: Policy, *, below: bool) -> tuple[str, ...]:
    now, n = book.number("accuracy.current"), book.number("accuracy.n_labelled")
    words = [f"Accuracy is {now:.1%} on {n:g} labelled predictions."]
    if "accuracy.baseline" in book:
        words.append(f"It was {book.number('accuracy.baseline'):.1%} at registration.")
    if below:
        words.append(f"That is below the floor of {policy.accuracy_floor:.1%}.")
    if not book.get("drift.alarm"):
        words.append("The inputs raise no drift alarm: the truth itself may have changed.")
    return tuple(words)


def _previous_is_better(book: FactBook, policy: Policy) -> bool:
    """On one period at once; each in its own time only for a young release without drift."""
    gap = book.fact("deployment.difference")
    if gap is None or not gap.interval or not gap.interval[1] < 0:
        return False
    if book.get("deployment.same_period"):
        return bool(book.get("deployment.previous_available"))
    return _fresh_release(book, policy) and not book.get("drift.alarm")


def _good_candidate(book: FactBook, _policy: Policy) -> Verdict | None:
    if book.get("candidate.gate") != "promote" or book.get("candidate.proposed_before"):
        return None
    version = book.get("candidate.version")
    return Verdict(
        rule="candidate",
        decision="promote",
        severity="medium",
        title=f"Release {book.model} {version}",
        sentences=(f"Candidate {version} passed the gate and was not proposed yet.",),
        cites=_present(book, "candidate.version", "candidate.gate", "candidate.improvement"),
        actions=(Act("promote", {"version": version}),),
    )


def _drift_ladder(book: FactBook, policy: Policy) -> Verdict | None:
    """The larger the change the more is asked for; an alarm is never met with nothing."""
    if not book.get("drift.alarm"):
        return None
    score, p_value = book.number("drift.score"), book.number("drift.p_value")
    decision, severity, words = _rung(score, policy)
    said = f"The inputs have changed: score {score:.2f} on {book.number('drift.n_current'):g} rows"
    if p_value == p_value:  # a sequential alarm may come without a p value
        said += f", p = {p_value:.2g}"
    cites = ("drift.score", "drift.p_value", "drift.n_current", "drift.windows_in_a_row")
    measured = ("text.vocabulary_drift", "text.tfidf_drift", "drift.columns", "accuracy.current")
    return Verdict(
        rule="drift ladder",
        decision=decision,
        severity=severity,
        title=f"Retrain {book.model}: its inputs have changed",
        sentences=(f"{said}.", words, *_no_loss(book, policy)),
        cites=_present(book, *cites, *measured),
        actions=(Act("retrain"),),
        confidence=round(1 - p_value, 4) if p_value == p_value else 0.9,
    )


def _rung(score: float, policy: Policy) -> tuple[str, str, str]:
    if score > policy.drift_escalate:
        return "escalate", "critical", "Little is left of what the model learnt from."
    if score >= policy.drift_approval:
        return "request_approval", "high", "The change is large: a person should decide."
    if score >= policy.drift_retrain:
        return "retrain", "high", "The change is large enough to retrain."
    if score >= policy.drift_urgent:
        return "log_only", "high", "The change is clear; retraining soon is advised."
    return "log_only", "low", "The change is small but certain; retraining can wait."


def _no_loss(book: FactBook, policy: Policy) -> tuple[str, ...]:
    if not book.number("accuracy.n_labelled") >= policy.min_labels:
        n = int(book.get("accuracy.n_labelled") or 0)
        return (f"Whether accuracy suffers is not known: {n} labels so far.",)
    now = book.number("accuracy.current")
    return (f"Accuracy is {now:.1%} so far: drift is evidence, not an emergency.",)


def _slow(book: FactBook, policy: Policy) -> Verdict | None:
    latency = book.number("service.latency_p95_ms")
    enough = book.number("service.n_requests") >= policy.min_requests
    if not (enough and latency > policy.latency_warning_ms):
        return None
    critical = latency > policy.latency_critical_ms
    return Verdict(
        rule="latency",
        decision="escalate" if critical else "log_only",
        severity="critical" if critical else "high",
        title=f"{book.model} answers slowly",
        sentences=(f"One answer in 20 takes longer than {latency:g} ms.",),
        cites=("service.latency_p95_ms", "service.n_requests"),
    )


def _present(book: FactBook, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if name in book)


RULES: tuple[Rule, ...] = (
    _failing_arm,
    _rollback_loop,
    _broken_data,
    _errors,
    _lost_accuracy,
    _good_candidate,
    _drift_ladder,
    _slow,
)
"""In order of precedence."""

"""The ladder of drift: the larger the change, the more is asked for."""

from core.agent.facts import FactBook
from core.agent.rules.reading import changes, count, drift_alarm, late_labels, present
from core.agent.verdict import Act, Held, Verdict
from core.specs.thresholds import Policy

RULE = "drift ladder"
_SURE = 0.1  # a larger p value of the newest window says nothing against an alarm that stands
_CITED = (
    "drift.alarm",
    "drift.score",
    "drift.p_value",
    "drift.n_current",
    "drift.windows_in_a_row",
    "text.vocabulary_drift",
    "text.tfidf_drift",
    "drift.columns",
    "accuracy.current",
)


def ladder(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """An alarm is never met with nothing, but one that means nothing yet is only noted."""
    if not drift_alarm(book):
        return None
    score, p_value = book.number("drift.score"), book.number("drift.p_value")
    said = _said(book)
    if why := _waits_for(book, policy):
        cites = present(book, *_CITED, *why[1:])
        return Held(RULE, f"{book.model}: a drift to wait with", f"{said}. {why[0]}", cites)
    decision, severity, words = _rung(score, policy)
    return Verdict(
        rule=RULE,
        decision=decision,
        severity=severity,
        title=f"Retrain {book.model}: its inputs have changed",
        sentences=(f"{said}.", words, *_no_loss(book, policy)),
        cites=present(book, *_CITED),
        actions=(Act("retrain"),),
        confidence=round(1 - p_value, 4) if 0 <= p_value <= _SURE else 1 - _SURE,
    )


def _said(book: FactBook) -> str:
    """Say the change as far as it is measured: a sequential alarm may come without a p value."""
    shown = (
        ("drift.score", ": score {:.2f}"),
        ("drift.n_current", " on {:g} rows"),
        ("drift.p_value", ", p = {:.2g}"),
    )
    known = [(name, words, book.number(name)) for name, words in shown]
    # no chance is 0: what is too small for the digits of a fact is left out
    told = [w.format(x) for name, w, x in known if x == x and (x or name != "drift.p_value")]
    return "The inputs have changed" + "".join(told)


def _waits_for(book: FactBook, policy: Policy) -> tuple[str, ...]:
    """Return why this alarm asks for nothing yet, and the facts that say so."""
    n, own = book.number("drift.n_current"), book.number("drift.fewest")
    if n < (min(own, policy.min_window) if own == own else policy.min_window):
        return "So few rows tell nothing.", "drift.n_current"
    if book.get("drift.seasonal_match"):
        return "They are like those of the same hours a week ago.", "drift.seasonal_match"
    if _flickers(book, policy):
        return "The alarm has come and gone in the last windows; it has to last.", "drift.history"
    return ()


def _flickers(book: FactBook, policy: Policy) -> bool:
    """Whether the alarm comes and goes: neither many windows together nor the last ones agree."""
    often = changes(book, "drift.history", policy.drift_urgent) >= policy.flaps
    lasts = book.number("drift.windows_in_a_row") >= policy.lasting_windows
    return often and not (lasts or book.get("drift.standing"))


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
        n = count(book, "accuracy.n_labelled")
        return (f"Whether accuracy suffers is not known: {n} labels so far.",)
    if late_labels(book, policy):
        return ("Whether accuracy suffers is not known: most labels are still to come.",)
    now = book.number("accuracy.current")
    return (f"Accuracy is {now:.1%} so far: drift is evidence, not an emergency.",)

"""Rules for quiet times: a model that was not trained for long, labels that never come."""

from core.agent.facts import FactBook
from core.agent.rules.performance import BATCH
from core.agent.rules.reading import present
from core.agent.verdict import Act, Verdict
from core.specs.thresholds import Policy


def untrained(book: FactBook, policy: Policy) -> Verdict | None:
    """Longer without a training than the policy allows."""
    name = "retrain.hours_since_training"
    name = name if name in book else "retrain.hours_since_last"
    days = book.number(name) / 24
    if not days > policy.days_without_retrain:
        return None
    return Verdict(
        rule="routine",
        decision="request_approval",
        severity="low",
        title=f"Retrain {book.model}: it was not trained for {days:.0f} days",
        sentences=(
            f"The last training was {days:.1f} days ago;"
            f" {policy.days_without_retrain:g} are allowed.",
        ),
        cites=present(book, name, "retrain.new_rows"),
        actions=(Act("retrain"),),
    )


def unlabelled(book: FactBook, policy: Policy) -> Verdict | None:
    """Serving for long with traffic, and still too few labels to know how right the answers are."""
    n, hours = book.number("accuracy.n_labelled"), book.number("deployment.hours_since_deploy")
    asked = max(book.number("service.n_requests"), book.number("drift.n_current"))
    few = n < policy.min_labels and hours >= policy.labels_missing_hours
    if not (few and asked >= policy.min_requests) or book.get("labels_wanted"):
        return None
    return Verdict(
        rule="labels missing",
        decision="log_only",
        severity="low",
        title=f"Collect labels for {book.model}: nobody knows how right it is",
        sentences=(
            f"{n:g} answers have a label after {hours:.0f} hours;"
            f" {policy.min_labels:g} are needed to judge accuracy.",
        ),
        cites=present(book, "accuracy.n_labelled", "deployment.hours_since_deploy"),
        actions=(Act("collect_labels", {"rows": str(BATCH)}),),
    )

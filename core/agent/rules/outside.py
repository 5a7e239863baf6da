"""The rule about alarms of other systems that none of our own facts explains."""

from core.agent.facts import FactBook
from core.agent.rules.reading import present
from core.agent.verdict import Verdict
from core.specs.alerts import SEVERITIES
from core.specs.thresholds import Policy


def told(book: FactBook, _policy: Policy) -> Verdict | None:
    """Another system raises an alarm; no rule before this one has found its cause."""
    n, severity = book.number("outside.alarms"), book.get("outside.severity")
    if not n > 0 or severity not in SEVERITIES:
        return None
    alarms = f"{n:g} alarm{'' if n == 1 else 's'}"
    return Verdict(
        rule="outside",
        decision="escalate" if severity in ("critical", "high") else "log_only",
        severity=severity,
        title=f"{book.model}: another system raises {alarms}",
        sentences=(f"Another system raises {alarms}. Our own facts do not show the cause.",),
        cites=present(book, "outside.alarms", "outside.severity"),
    )

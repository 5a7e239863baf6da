"""The rules of the policy, in order of precedence: facts in; a verdict, a wait or nothing out."""

from core.agent.rules.candidate import candidate
from core.agent.rules.data import broken, warned
from core.agent.rules.drift import ladder
from core.agent.rules.experiments import result, safety
from core.agent.rules.outside import told
from core.agent.rules.performance import critical, errors, estimate, loss, service
from core.agent.rules.reading import Rule
from core.agent.rules.release import bad, loop
from core.agent.rules.routine import unlabelled, untrained

RULES: tuple[Rule, ...] = (
    safety,
    loop,
    broken,
    bad,
    errors,
    critical,
    result,
    candidate,
    loss,
    ladder,
    estimate,
    service,
    warned,
    told,
    untrained,
    unlabelled,
)

__all__ = ["RULES", "Rule"]

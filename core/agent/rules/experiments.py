"""Rules about a running experiment: what makes it unsafe or void, and what it has shown."""

from core.agent.facts import FactBook
from core.agent.rules.reading import enough_requests, experiment_id, foremost, present
from core.agent.verdict import Act, Held, Verdict
from core.specs.thresholds import Policy

SAFETY, RESULT = "experiment safety", "experiment result"


def safety(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """A treatment that fails, a split that is not as asked, a treatment that is surely worse."""
    if experiment_id(book) is None:
        return None
    return foremost(_failing(book, policy), _void(book, policy), _worse(book, policy))


def _stop(
    book: FactBook, severity: str, why: str, said: str, cites: tuple[str, ...], rule: str = SAFETY
) -> Verdict:
    name = book.get("experiment.running")
    return Verdict(
        rule=rule,
        decision="stop_experiment",
        severity=severity,
        title=f"Stop experiment {name}: {why}",
        sentences=(said,),
        cites=present(book, "experiment.running", *cites),
        actions=(Act("stop_experiment", {"experiment_id": experiment_id(book)}),),
    )


def _failing(book: FactBook, policy: Policy) -> Verdict | Held | None:
    arm, name = book.number(_ERRORS), book.get("experiment.running")
    if arm > policy.error_critical:
        said = f"{arm:.1%} of the treatment's requests failed in experiment {name}."
        cites = present(book, _ERRORS, "experiment.error_rate_a")
        if not enough_requests(book, policy, _requests(book)):
            few = f"{said} There were too few to tell."
            return Held(SAFETY, f"Experiment {name}: some requests failed", few, cites)
        return _stop(book, "critical", "the treatment fails", said, cites)
    if arm >= policy.error_warning and enough_requests(book, policy, _requests(book)):
        said = f"{arm:.1%} of the treatment's requests failed in experiment {name}: watch it."
        return Held(SAFETY, f"Experiment {name} is watched", said, (_ERRORS,), "high")
    known = _ERRORS in book
    rate = book.number("service.error_rate")
    if not known and enough_requests(book, policy) and rate > policy.error_critical:
        said = f"{rate:.1%} of requests failed while experiment {name} runs."
        cites = present(book, "service.error_rate", "service.n_requests")
        return _stop(book, "critical", "requests fail", said, cites)
    return None


def _requests(book: FactBook) -> str:
    return "experiment.n_requests_b" if "experiment.n_requests_b" in book else "experiment.n_b"


_ERRORS = "experiment.error_rate_b"


def _void(book: FactBook, policy: Policy) -> Verdict | None:
    if not book.number("experiment.srm_p") < policy.split_alpha:
        return None
    said = "The traffic was not split as asked, so none of its figures can be trusted."
    return _stop(book, "high", "it is void", said, ("experiment.srm_p",))


def _worse(book: FactBook, policy: Policy) -> Verdict | Held | None:
    if not (_decided(book, policy) and _gap(book) < 0):
        return None
    if _immature(book, policy):
        return _held(book, _waiting("is behind"))
    said = f"The treatment is worse, {_rates(book)}, and that holds at every look."
    return _stop(book, "high", "the treatment is worse", said, _FIGURES)


_FIGURES = (
    "experiment.acc_a",
    "experiment.acc_b",
    "experiment.p_seq",
    "experiment.ci",
    "experiment.planned_n",
    "experiment.label_maturity_a",
    "experiment.label_maturity_b",
)


def result(book: FactBook, policy: Policy) -> Verdict | Held | None:
    """What an experiment has shown: decided by the p value of every look, at the planned size."""
    if experiment_id(book) is None:
        return None
    if _decided(book, policy) and _gap(book) > 0:
        return _won(book, policy)
    done = _complete(book) and not _immature(book, policy) and "experiment.p_seq" in book
    if done and not _decided(book, policy):
        said = "As many labels as planned are in, and the arms are as good as each other: {}."
        return _stop(book, "low", "no difference", said.format(_rates(book)), _FIGURES, rule=RESULT)
    if book.number("experiment.p_fixed") < policy.experiment_alpha:
        said = "A test that looks once calls it decided; the one that allows looking does not."
        return _held(book, said, "experiment.p_fixed")
    return None


def _won(book: FactBook, policy: Policy) -> Verdict | Held:
    version = book.get("experiment.arm_b")
    if _immature(book, policy):
        return _held(book, _waiting("leads"))
    if not (_complete(book) and isinstance(version, str)):
        return _held(book, "The treatment leads; the experiment runs on to its planned size.")
    if book.get("experiment.arm_b_releasable") is False:
        said = f"{version} won, {_rates(book)}, and the gate does not let it be released."
        return Verdict(
            rule=RESULT,
            decision="escalate",
            severity="medium",
            title=f"{version} won its experiment; the gate holds it back",
            sentences=(said, "An approver may override the gate with a reason."),
            cites=present(book, *_FIGURES),
        )
    return Verdict(
        rule=RESULT,
        decision="promote",
        severity="medium",
        title=f"Release {book.model} {version}, which won its experiment",
        sentences=(f"{version} is better, {_rates(book)}, at the planned size.",),
        cites=present(book, "experiment.arm_b", *_FIGURES),
        actions=(Act("promote", {"version": version}),),
    )


def _decided(book: FactBook, policy: Policy) -> bool:
    return book.number("experiment.p_seq") < policy.experiment_alpha


def _gap(book: FactBook) -> float:
    return book.number("experiment.acc_b") - book.number("experiment.acc_a")


def _complete(book: FactBook) -> bool:
    n = book.number("experiment.n_a") + book.number("experiment.n_b")
    return n >= book.number("experiment.planned_n")


def _immature(book: FactBook, policy: Policy) -> bool:
    shares = [book.number(f"experiment.label_maturity_{arm}") for arm in "ab"]
    return any(share < policy.label_maturity for share in shares)


def _waiting(how: str) -> str:
    return f"The treatment {how}, but most labels are still to come, and the first are no sample."


def _rates(book: FactBook) -> str:
    a, b = book.number("experiment.acc_a"), book.number("experiment.acc_b")
    return f"{b:.1%} against {a:.1%}" if a == a and b == b else "by its interval"


def _held(book: FactBook, said: str, *cites: str) -> Held:
    name = book.get("experiment.running")
    return Held(RESULT, f"Experiment {name} goes on", said, present(book, *_FIGURES, *cites))

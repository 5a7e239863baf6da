"""Writing an experiment down before it starts: what may be compared, and how much it takes."""

from dataclasses import asdict, dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import releases
from core.access import Actor
from core.db import Command, Database
from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.experiments import paired, statistics
from core.ids import new_id
from core.statistics import sequential
from core.tables.entities import Experiment, ModelVersion

METRICS = ("accuracy",)
MODES = ("canary", "shadow")
ASSUMED_ACCURACY = 0.9
"""The accuracy a sample size is planned with where the control was never measured."""


@dataclass(frozen=True)
class Plan:
    """What an experiment is to compare, and how; see `draft`."""

    model: str
    name: str
    control: str
    treatment: str
    hypothesis: str
    share: float = 0.0
    mode: str = "canary"
    metric: str = "accuracy"
    minimum_effect: float = 0.01
    alpha: float = 0.05


def draft(
    db: Database,
    actor: Actor,
    *,
    model: str,
    name: str,
    control: str,
    treatment: str,
    hypothesis: str,
    share: float = 0.0,
    mode: str = "canary",
    metric: str = "accuracy",
    minimum_effect: float = 0.01,
    alpha: float = 0.05,
) -> Experiment:
    """Write down an experiment before it starts; `share` of the traffic will meet `treatment`.

    As a canary the treatment answers that share of the users; in shadow it answers every request
    for the log only, and `share` stays 0.

    `planned_n` follows from the control's accuracy: labelled predictions of both arms together
    that find `minimum_effect` with 80 % power.

    Raises: ForbiddenError; InvalidInputError; NotFoundError (version); ConflictError (name).
    """
    wanted = Plan(
        model, name, control, treatment, hypothesis, share, mode, metric, minimum_effect, alpha
    )
    with db.command(actor, "experiment.draft") as command:
        return draft_in(command, wanted)


def draft_in(command: Command, wanted: Plan) -> Experiment:
    """Do what `draft` does inside a command."""
    session, model, name = command.session, wanted.model, wanted.name
    command.note(model=model, name=name, control=wanted.control, treatment=wanted.treatment)
    command.note(share=wanted.share, mode=wanted.mode)
    _check_words(name, wanted.metric, wanted.mode)
    share = whole_share(wanted.mode, wanted.share)
    _check_versions(session, model, wanted.control, wanted.treatment)
    if session.scalars(select(Experiment).filter_by(model=model, name=name)).first():
        raise ConflictError(f"{model} has an experiment called {name} already")
    champion = session.get_one(ModelVersion, (model, wanted.control))
    row = Experiment(
        **{**asdict(wanted), "share": share},
        id=new_id(command.now),
        state="draft",
        planned_n=planned(champion, wanted.minimum_effect, wanted.alpha, share),
        verdict={},
        author=command.actor.name,
        at=command.now,
    )
    session.add(row)
    return row


def _check_words(name: str, metric: str, mode: str) -> None:
    if not 0 < len(name.strip()) <= 100:
        raise InvalidInputError("give the experiment a name of 1 to 100 characters")
    if metric not in METRICS:
        raise InvalidInputError(f"experiments compare {' or '.join(METRICS)}, not {metric}")
    if mode not in MODES:
        raise InvalidInputError(f"an experiment runs as {' or in '.join(MODES)}")


def whole_share(mode: str, share: float) -> float:
    """Return the share in whole buckets: the split is judged against what a release can do."""
    if mode == "shadow" and share:
        raise InvalidInputError("in shadow no client meets the treatment: leave the share out")
    if mode != "shadow" and not 0.001 <= share <= 0.999:
        raise InvalidInputError("the treatment's share lies between 0.1 % and 99.9 %")
    return round(share * releases.BUCKETS) / releases.BUCKETS


def _check_versions(session: Session, model: str, control: str, treatment: str) -> None:
    if control == treatment:
        raise InvalidInputError("an experiment compares two different versions")
    for version in (control, treatment):
        found = session.get(ModelVersion, (model, version))
        if found is None:
            raise NotFoundError(f"{model} has no version {version}")
        if found.state in ("rejected", "archived"):
            raise ConflictError(f"{model} {version} is {found.state} and cannot serve")


def planned(
    control: ModelVersion, effect: float, alpha: float, share: float, *, step: int = 1
) -> int:
    """Return how many labelled predictions find `effect`; see `size`."""
    return size(control.metrics.get("accuracy"), effect, alpha=alpha, share=share, step=step)


def size(
    measured: float | None, effect: float, *, alpha: float = 0.05, share: float, step: int = 1
) -> int:
    """Return how many labelled predictions find `effect` over what was measured, with 80 % power.

    It is planned for the verdict that will be asked for: one that holds at every look, for the
    `step`-th split, which has its part of `alpha` only. Without a `share`, in shadow.
    Raises: InvalidInputError (a setting out of range).
    """
    baseline = min(max(float(measured or ASSUMED_ACCURACY), 0.001), 0.999)
    if not 0 < effect < 1:
        raise InvalidInputError("the minimum effect lies between 0 and 1")
    if not 0 < alpha < 1:
        raise InvalidInputError("alpha lies between 0 and 1")
    if not share:
        return paired.planned(baseline, effect, alpha=sequential.planning_alpha(alpha))
    sign = 1 if baseline + effect < 1 else -1  # no room above: plan to find a loss of that size
    part = sequential.planning_alpha(sequential.alpha_of_step(alpha, step))
    return statistics.sample_size(baseline, sign * effect, alpha=part, share=share)

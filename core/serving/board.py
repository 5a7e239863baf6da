"""What one api process serves now; replaced as a whole, so that a request sees one state."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from core import releases
from core.errors import NotFoundError, UnavailableError
from core.keys import KeyTable
from core.releases import Arm
from core.serving import assignment, features
from core.serving.features import Completion
from core.serving.scorer import Scorer
from core.specs import canonical
from core.tables.entities import Experiment, ModelVersion, Release
from core.users import Standing

PREFERRED = "sms_spam"


@dataclass(frozen=True, slots=True)
class Served:
    """One model with everything a prediction needs, in memory."""

    model: str
    seq: int
    salt: str
    arms: tuple[Arm, ...]
    experiment: str | None
    scorers: Mapping[str, Scorer]
    completions: Mapping[str, Completion] = field(default_factory=dict)
    champion: Scorer = field(init=False, repr=False, compare=False)
    """The scorer of the control arm."""

    def __post_init__(self) -> None:
        control = next(arm.version for arm in self.arms if arm.variant == "control")
        object.__setattr__(self, "champion", self.scorers[control])

    @property
    def shadows(self) -> list[str]:
        """The versions that answer for the log only."""
        return [arm.version for arm in assignment.shadows(self.arms)]

    def arm_for(self, subject: str) -> Arm:
        """Return the arm that answers a user."""
        return assignment.choose(self.arms, self.salt, subject)


@dataclass(frozen=True, slots=True)
class Board:
    """Keys and served models of one moment; `served` has the first released model first."""

    keys: KeyTable = field(default_factory=lambda: KeyTable({}))
    people: Mapping[str, Standing] = field(default_factory=dict)
    served: Mapping[str, Served] = field(default_factory=dict)
    known: bool = False  # whether keys and releases are known, from wherever
    restored: bool = False  # they come from the snapshot; the database was not read yet
    read_at: datetime | None = None  # when the database said so
    _default: Served | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        texts = [one for one in self.served.values() if one.champion.task == "text"]
        preferred = [one for one in texts if one.model == PREFERRED]
        found = next(iter((*preferred, *texts)), None)
        object.__setattr__(self, "_default", found)  # once, instead of with every request

    def find(self, name: str | None) -> Served:
        """Return a model by any spelling of its name; without one the default text model.

        Raises: UnavailableError (nothing is released yet); NotFoundError.
        """
        if not self.served:
            raise UnavailableError("no model is released yet; train and promote one first")
        if name is None:
            return self.default
        if served := self.served.get(canonical(name)):
            return served
        raise NotFoundError("no released model has this name; GET /api/v1/models lists them")

    @property
    def default(self) -> Served:
        """The model that answers when none is named. Raises: NotFoundError (no text model)."""
        if self._default is None:
            raise NotFoundError("no text model is released; name a model and give its features")
        return self._default

    @property
    def main(self) -> Served | None:
        """The model that is meant where none is named: the default one, else the first released."""
        try:
            return self.default
        except NotFoundError:
            return next(iter(self.served.values()), None)

    def labels(self) -> set[str]:
        """Return every class that a served version can answer with."""
        return {
            label
            for one in self.served.values()
            for scorer in one.scorers.values()
            for label in scorer.labels
        }


@dataclass(frozen=True, slots=True)
class Released:
    """A release as the database has it, with the versions it names."""

    release: Release
    versions: dict[str, ModelVersion]
    experiment: str | None
    completions: Mapping[str, Completion]


def newest(session: Session, *, seen: Mapping[str, int]) -> tuple[list[str], list[Released]]:
    """Return all released models, the first released first, and those that changed since `seen`."""
    bounds = select(Release.model, func.max(Release.seq), func.min(Release.at))
    rows = session.execute(bounds.group_by(Release.model)).all()
    names = [model for model, _, _ in sorted(rows, key=lambda row: (row[2], row[0]))]
    changed = [(model, seq) for model, seq, _ in rows if seen.get(model) != seq]
    if not changed:
        return names, []
    found = session.scalars(select(Release).where(tuple_(Release.model, Release.seq).in_(changed)))
    return names, [_with_versions(session, release) for release in found]


def _with_versions(session: Session, release: Release) -> Released:
    wanted = [arm.version for arm in releases.arms(release)]
    query = select(ModelVersion).filter_by(model=release.model)
    versions = list(session.scalars(query.where(ModelVersion.version.in_(wanted))))
    name = None
    if release.experiment_id:
        query_name = select(Experiment.name).filter_by(id=release.experiment_id)
        name = session.scalars(query_name).first()
    completions = features.of_versions(session, versions)
    return Released(release, {row.version: row for row in versions}, name, completions)


def loaded(board: Board) -> Iterable[tuple[str, str]]:
    """Yield (model, version) of everything in memory that serves."""
    for one in board.served.values():
        for version in one.scorers:
            yield one.model, version

"""Searches with Optuna: TPE proposes, the median rule prunes, a database keeps the trials."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from core.errors import UnavailableError
from core.settings import Settings
from core.specs import Range
from core.specs.candidates import WHOLE
from core.training.search import Question, Study, Trial

if TYPE_CHECKING:
    import optuna

STARTUP_TRIALS = 6  # random ones, before there is something to learn from
JUDGED_FROM = 3  # complete trials before the first is pruned
INTERRUPTED, HOPELESS, FOLD = "interrupted", "hopeless", "fold "
Found = TypeVar("Found")


class OptunaStudies:
    """Studies in a database of their own: Optuna refuses to share one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._storage: Any = None

    def open(self, question: Question) -> Study:
        """Return the study of this name, begun now or earlier. Raises: UnavailableError."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage = self._storage or _reached(self._connect)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=JUDGED_FROM)
        study = _reached(
            lambda: optuna.create_study(
                storage=self._storage,
                study_name=question.name,
                direction="maximize" if question.maximise else "minimize",
                pruner=pruner if question.pruning else optuna.pruners.NopPruner(),
                load_if_exists=True,
            )
        )
        return OptunaStudy(study, question)

    def _connect(self) -> "optuna.storages.RDBStorage":
        import optuna

        self._settings.folder(".")
        url = self._settings.study_url
        for short in ("postgres://", "postgresql://"):
            if url.startswith(short):
                url = "postgresql+psycopg://" + url.removeprefix(short)
        waits = {"connect_args": {"timeout": 30}} if url.startswith("sqlite") else {}
        return optuna.storages.RDBStorage(url, engine_kwargs={"pool_pre_ping": True, **waits})


class OptunaStudy:
    """One study. What it proposes depends on the seed, the trial's number, and what was told."""

    def __init__(self, study: "optuna.Study", question: Question) -> None:
        self._study, self._question = study, question
        self._open: dict[int, optuna.trial.Trial] = {}
        _reached(self._drop_halves)

    def _drop_halves(self) -> None:
        """End the trials whose process was killed while they were asked for."""
        import optuna

        for frozen in self._frozen():
            asked = set(frozen.params) in (set(), set(self._question.space))
            first = frozen.user_attrs.get("first") is not None
            if frozen.state.name != "RUNNING" or (asked and (frozen.params or first)):
                continue
            optuna.trial.Trial(self._study, frozen._trial_id).set_user_attr(INTERRUPTED, True)
            self._study.tell(frozen.number, state=optuna.trial.TrialState.FAIL)

    def trials(self) -> list[Trial]:
        """Return all trials by number; those that an earlier process left are `running`."""
        known = _reached(self._known)
        return [_trial(number, frozen) for number, frozen in enumerate(known)]

    def ask(self) -> Trial:
        """Return the next trial. Trial 0 has the parameters that were given."""
        return _reached(self._ask)

    def _ask(self) -> Trial:
        import optuna

        number, given = len(self._known()), self._question.first
        distributions = _distributions(self._question.space)
        inside = all(
            name in given and one.low <= given[name] <= one.high
            for name, one in self._question.space.items()
        )
        if number == 0 and inside:  # the search learns from them only where they are in its space
            self._study.enqueue_trial(given)
        self._study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=STARTUP_TRIALS, seed=(self._question.seed + number) % 2**32
        )
        asked = self._study.ask(distributions if number or inside else None)
        asked.set_user_attr("first", number == 0)
        self._open[number] = asked
        return Trial(number, dict(asked.params))

    def note(self, number: int, fold: int, scores: dict[str, float]) -> None:
        """Keep the scores of one fold."""
        _reached(lambda: self._live(number).set_user_attr(f"{FOLD}{fold}", scores))

    def hopeless(self, number: int, step: int, value: float) -> bool:
        """Say whether a trial with this mean after `step` folds is not worth more of them.

        What was said once stays, also after a crash.
        """
        return _reached(lambda: self._hopeless(number, step, value))

    def _hopeless(self, number: int, step: int, value: float) -> bool:
        trial = self._live(number)
        if HOPELESS not in trial.user_attrs:
            trial.report(value, step)
            trial.set_user_attr(HOPELESS, bool(trial.should_prune()))
        return bool(trial.user_attrs[HOPELESS])

    def tell(self, number: int, state: str, value: float | None = None) -> None:
        """End a trial as complete (with its value), pruned or failed."""
        import optuna

        ended = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}[state]
        trial = self._live(number)
        _reached(
            lambda: self._study.tell(
                trial,
                value if state == "complete" else None,
                state=optuna.trial.TrialState[ended],
            )
        )

    def _live(self, number: int) -> "optuna.trial.Trial":
        import optuna

        if number not in self._open:
            frozen = self._known()[number]
            self._open[number] = optuna.trial.Trial(self._study, frozen._trial_id)
        return self._open[number]

    def _known(self) -> list["optuna.trial.FrozenTrial"]:
        return [one for one in self._frozen() if INTERRUPTED not in one.user_attrs]

    def _frozen(self) -> list["optuna.trial.FrozenTrial"]:
        return [one for one in self._study.get_trials() if one.state.name != "WAITING"]


def _trial(number: int, frozen: "optuna.trial.FrozenTrial") -> Trial:
    states = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    return Trial(
        number,
        dict(frozen.params),
        states.get(frozen.state.name, "running"),  # type: ignore[arg-type]
        {
            int(name.removeprefix(FOLD)): scores
            for name, scores in frozen.user_attrs.items()
            if name.startswith(FOLD)
        },
    )


def _distributions(space: dict[str, Range]) -> dict[str, Any]:
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        name: IntDistribution(round(one.low), round(one.high), log=one.log)
        if name in WHOLE
        else FloatDistribution(one.low, one.high, log=one.log)
        for name, one in sorted(space.items())
    }


def _reached(work: Callable[[], Found]) -> Found:
    """Carry out something on the database, and name it when it is away."""
    import optuna

    try:
        return work()
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as problem:
        raise UnavailableError(
            f"the database that keeps searches cannot be used: {type(problem).__name__}; "
            "see PILOTHOUSE_SEARCH_URL"
        ) from problem

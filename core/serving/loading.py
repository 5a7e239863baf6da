"""From a release in the database to versions in memory; what cannot be loaded is told once."""

import logging
from typing import Any

from core import releases
from core.clock import Clock, monotonic
from core.errors import NotFoundError, PilothouseError, UnavailableError
from core.ids import new_id
from core.releases import Arm
from core.serving import problems
from core.serving.board import Released, Served
from core.serving.scorer import Scorer
from core.serving.spool import Spool
from core.serving.warm import Warm
from core.settings import Settings
from core.tables.entities import Release

log = logging.getLogger("api")
_RETRY_SECONDS = 5.0
_TELL_AGAIN_SECONDS = problems.TELL_AGAIN.total_seconds()


class Loading:
    """Loads releases, one at a time; a failure is kept by model, logged, and asks for an incident.

    When that release loads after all, or a newer one does, it says so, and the incident may end.
    `problems`: model → why its newest release cannot serve. `failures` counts every attempt.
    """

    def __init__(self, settings: Settings, spool: Spool, clock: Clock) -> None:
        self.warm = Warm(settings)
        self.problems: dict[str, str] = {}
        self.failures = 0
        self._spool = spool
        self._clock = clock
        self._retry_at: dict[str, float] = {}
        self._told: dict[str, tuple[tuple[int, str], float]] = {}
        self._teller, self._tellings = new_id(), 0

    def due(self, model: str) -> bool:
        """Say whether a model may be tried: one that failed waits some seconds."""
        return monotonic() >= self._retry_at.get(model, 0)

    def load(
        self, found: Released, serving: Served | None, *, newest: bool = True
    ) -> Served | None:
        """Return a release ready to serve, or None where it cannot be: `serving` stays then.

        With `newest` off it stands in for a newer one, whose problem stays.
        """
        try:
            served = self._load(found)
        except (PilothouseError, OSError) as problem:
            self._note(found, serving, str(problem), newest=newest)
            return None
        except Exception as fault:  # a foreign artifact may raise anything; the old one serves on
            log.exception("%s could not be loaded", found.release.model)
            why = f"an unexpected fault: {type(fault).__name__}"
            self._note(found, serving, why, newest=newest)
            return None
        if newest:
            self.problems.pop(served.model, None)
            if self._told.pop(served.model, None):
                self._tell(found.release, "", state="serves")
        log.info("%s now serves release %d", served.model, served.seq)
        return served

    def close(self) -> None:
        """Say that this process ends, where it told of what it could not load."""
        for model, ((seq, _), _) in self._told.items():
            self._say(model, "", seq, "", state="gone")

    def retry_now(self) -> None:
        """Let every model be tried at the next look."""
        self._retry_at.clear()

    def _load(self, found: Released) -> Served:
        release = found.release
        arms = tuple(releases.arms(release))
        scorers = {arm.version: self._scorer(found, arm) for arm in arms}
        self.warm.forget(release.model, set(scorers))
        return Served(
            release.model,
            release.seq,
            release.salt,
            arms,
            found.experiment,
            scorers,
            found.completions,
        )

    def _scorer(self, found: Released, arm: Arm) -> Scorer:
        if arm.version not in found.versions:
            raise NotFoundError(f"version {arm.version} is released but not registered")
        return self.warm.scorer(found.versions[arm.version]).at(arm.threshold)

    def _note(self, found: Released, serving: Served | None, problem: str, *, newest: bool) -> None:
        release, now = found.release, monotonic()
        self.failures += 1
        if not newest:
            log.error("release %d of %s cannot stand in: %s", release.seq, release.model, problem)
            return
        self.problems[release.model] = problem
        self._retry_at[release.model] = now + _RETRY_SECONDS
        log.error("release %d of %s cannot serve: %s", release.seq, release.model, problem)
        what = (release.seq, problem)
        before, at = self._told.get(release.model, (None, 0.0))
        if before == what and now - at < _TELL_AGAIN_SECONDS:
            return
        if self._tell(release, problem, serves=serving.seq if serving else None):
            self._told[release.model] = (what, now)

    def _tell(self, release: Release, why: str, **more: Any) -> bool:  # noqa: ANN401 (see record)
        return self._say(release.model, releases.label(release), release.seq, why, **more)

    def _say(
        self,
        model: str,
        version: str,
        seq: int,
        why: str,
        *,
        serves: int | None = None,
        state: problems.State = "failed",
    ) -> bool:
        self._tellings += 1
        told = problems.record(
            model,
            version,
            seq,
            why,
            serves=serves,
            at=self._clock(),
            teller=self._teller,
            n=self._tellings,
            state=state,
        )
        try:
            self._spool.append([told])
        except UnavailableError as full:
            log.error("of %s nobody can be told: %s", model, full)
            return False
        return True

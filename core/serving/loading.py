"""From a release in the database to versions in memory; what cannot be loaded is told once."""

import logging

from core import releases
from core.clock import Clock, monotonic
from core.errors import NotFoundError, PilothouseError, UnavailableError
from core.releases import Arm
from core.serving import problems
from core.serving.board import Released, Served
from core.serving.scorer import Scorer
from core.serving.spool import Spool
from core.serving.warm import Warm
from core.settings import Settings

log = logging.getLogger("api")
_RETRY_SECONDS = 5.0
_TELL_AGAIN_SECONDS = 3600.0


class Loading:
    """Loads releases, one at a time; a failure is kept by model, logged, and asks for an incident.

    `problems`: model → why its newest release cannot serve. `failures` counts every attempt.
    """

    def __init__(self, settings: Settings, spool: Spool, clock: Clock) -> None:
        self.warm = Warm(settings)
        self.problems: dict[str, str] = {}
        self.failures = 0
        self._spool = spool
        self._clock = clock
        self._retry_at: dict[str, float] = {}
        self._told: dict[str, tuple[object, float]] = {}

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
            self._told.pop(served.model, None)
        log.info("%s now serves release %d", served.model, served.seq)
        return served

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
        if (before != what or now - at >= _TELL_AGAIN_SECONDS) and self._tell(
            found, serving, problem
        ):
            self._told[release.model] = (what, now)

    def _tell(self, found: Released, serving: Served | None, problem: str) -> bool:
        release = found.release
        told = problems.record(
            release.model,
            releases.label(release),
            release.seq,
            problem,
            serves=serving.seq if serving else None,
            at=self._clock(),
        )
        try:
            self._spool.append([told])
        except UnavailableError as full:
            log.error("no incident can be asked for: %s", full)
            return False
        return True

"""What one release serves: its arms, each with version, weight and threshold. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from core.errors import ConflictError
from core.tables.entities import ModelVersion, Release

BUCKETS = 1000


@dataclass(frozen=True, slots=True)
class Arm:
    """One version in a release: `weight` of 1,000 buckets; a shadow arm has weight 0.

    `threshold` is the probability from which it answers positive, where people set another than
    the version's own.
    """

    version: str
    variant: str  # control, treatment, shadow
    weight: int
    threshold: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a release keeps them.

        >>> Arm("1.0.0", "control", 1000).to_dict()
        {'version': '1.0.0', 'variant': 'control', 'weight': 1000}
        """
        values = {"version": self.version, "variant": self.variant, "weight": self.weight}
        return values if self.threshold is None else {**values, "threshold": self.threshold}


def arms(release: Release) -> list[Arm]:
    """Return the arms of a release, the control first."""
    return [Arm(**arm) for arm in release.arms]


def label(release: Release) -> str:
    """Say in a few words what a release serves.

    >>> label(Release(arms=[{"version": "1.0.0", "variant": "control", "weight": 1000}]))
    '1.0.0'
    """
    live = [arm for arm in arms(release) if arm.weight]
    if len(live) == 1:
        return live[0].version
    return " + ".join(f"{arm.version} {arm.weight / 10:g}%" for arm in live)


def live(release: Release) -> set[str]:
    """Return the versions that answer clients."""
    return {arm.version for arm in arms(release) if arm.weight}


def control(release: Release) -> Arm:
    """Return the arm of the champion."""
    return next(arm for arm in arms(release) if arm.variant == "control")


def champion(release: Release) -> str:
    """Return the version that a release trusts most: its control arm."""
    return control(release).version


def set_thresholds(release: Release) -> dict[str, float]:
    """Return the thresholds that people set in place of the versions' own, by version."""
    return {arm.version: arm.threshold for arm in arms(release) if arm.threshold is not None}


def threshold(release: Release | None, version: ModelVersion) -> float:
    """Return from which probability on a version answers positive where it serves in `release`."""
    own = 0.5 if version.threshold is None else version.threshold
    return set_thresholds(release).get(version.version, own) if release else own


def same(one: Release, other: Release) -> bool:
    """Say whether two releases of a model serve every user alike, in the same experiment."""
    split = len(live(one)) > 1
    return (
        one.model == other.model
        and arms(one) == arms(other)
        and one.experiment_id == other.experiment_id
        and (one.salt == other.salt or not split)
    )


def only(version: str, *, threshold: float | None = None) -> list[Arm]:
    """Return the arms of a plain release: everything to one version."""
    return [Arm(version, "control", BUCKETS, threshold)]


def alone(release: Release) -> list[Arm]:
    """Return the arms that serve a release's champion to everybody, as it answers there."""
    return [replace(control(release), weight=BUCKETS)]


def split(release: Release, version: str, share: float) -> list[Arm]:
    """Return the arms that give `version` a share and the champion the rest; 0 ends it.

    Raises: ConflictError (the champion itself, another version has a share, nothing would change).
    """
    first, weight = control(release), round(share * BUCKETS)
    second = next((arm for arm in arms(release) if arm.weight and arm != first), None)
    if version == first.version:
        raise ConflictError(f"{version} serves what no other version gets; name the other one")
    if second and second.version != version:
        raise ConflictError(f"{second.version} has a share already; end that one first")
    if weight == (second.weight if second else 0):
        has = "has this share already" if weight else "has no share to end"
        raise ConflictError(f"{release.model} {version} {has}")
    if not weight:
        return alone(release)
    kept = second or Arm(version, "treatment", 0, first.threshold)
    return [replace(first, weight=BUCKETS - weight), replace(kept, weight=weight)]

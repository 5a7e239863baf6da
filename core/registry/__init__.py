"""Model versions: registered by a run, staged, compared, archived; cards and signed files."""

from core.registry.card import card
from core.registry.compare import COMPARED, SMALLER_IS_BETTER, compare
from core.registry.stages import (
    Stage,
    archive,
    back_to_development,
    challenger,
    override,
    promote_to_staging,
    releasable,
    stage,
    verdict,
)
from core.registry.versions import count, get, next_version, pack, register, tried, unpack, versions

__all__ = [
    "COMPARED",
    "SMALLER_IS_BETTER",
    "Stage",
    "archive",
    "back_to_development",
    "card",
    "challenger",
    "compare",
    "count",
    "get",
    "next_version",
    "override",
    "pack",
    "promote_to_staging",
    "register",
    "releasable",
    "stage",
    "tried",
    "unpack",
    "verdict",
    "versions",
]

"""The checks of what serves; each stores one report about one window.

Windows are disjoint: a report names the window it follows, and no two may follow the same, so that
two workers cannot judge the same predictions twice.
"""

from core.monitoring.checks.concept import check_concept
from core.monitoring.checks.drift import check_drift, compare
from core.monitoring.checks.estimate import check_estimate
from core.monitoring.checks.performance import check_performance
from core.monitoring.checks.quality import check_quality
from core.monitoring.checks.service import check_service
from core.monitoring.checks.volume import check_volume

__all__ = [
    "check_concept",
    "check_drift",
    "check_estimate",
    "check_performance",
    "check_quality",
    "check_service",
    "check_volume",
    "compare",
]

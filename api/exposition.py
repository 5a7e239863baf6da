"""The page of figures: names and labels as Prometheus and the dashboards know them."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from core.serving import stages
from core.serving.service import Service
from core.serving.tally import Total

_LABELS = ("endpoint", "method", "status")
SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1, 2.5, 5),
)
"""Upper ends of the buckets of `api_request_duration_seconds`."""


class Exposition(Collector):
    """Turns counters and the figures of this moment into metrics; never asks the database."""

    def __init__(self, service: Service, total: Callable[[], Total]) -> None:
        self._service = service
        self._total = total

    def describe(self) -> Iterator[Metric]:
        """Declare nothing ahead: the names do not collide."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield what all workers counted, then what this one knows of log, models, training."""
        total = self._total()
        yield from _requests(total)
        yield _stages(total)
        yield from _workers(total)
        yield from _log(self._service)
        yield from _stored(self._service)


def _requests(total: Total) -> Iterator[Metric]:
    answered = CounterMetricFamily("api_requests", "Requests answered.", labels=_LABELS)
    took = HistogramMetricFamily(
        "api_request_duration_seconds",
        "Time from the first byte to the answer.",
        labels=_LABELS,
    )
    by_status: dict[str, float] = defaultdict(float)
    for (kind, *labels), cells in total.counts.items():
        if kind == "request":
            n = sum(cells[:-1])
            answered.add_metric(labels, n)
            took.add_metric(labels, _buckets(SECONDS, cells), cells[-1])
            by_status[labels[2]] += n
    yield answered
    yield took
    yield CounterMetricFamily(
        "api_shed_requests", "Turned away for lack of room or of a model (503).", by_status["503"]
    )
    yield CounterMetricFamily(
        "api_rate_limited_requests", "Turned away because a key asked too often (429).",
        by_status["429"],
    )  # fmt: skip


def _stages(total: Total) -> Metric:
    took = HistogramMetricFamily(
        "api_stage_duration_seconds", "Time that a stage of an answer took.", labels=("stage",)
    )
    for stage in stages.STAGES:
        cells = total.counts[("stage", stage)]
        took.add_metric((stage,), _buckets(stages.BOUNDS, cells), cells[-1])
    return took


def _buckets(bounds: Sequence[float], cells: Sequence[float]) -> list[tuple[str, float]]:
    """Return (upper end, how many were at most that) from counts per bucket and a sum."""
    ends = [*(str(float(end)) for end in bounds), "+Inf"]
    return list(zip(ends, accumulate(cells[:-1]), strict=True))


def _workers(total: Total) -> Iterator[Metric]:
    held: dict[tuple[str, ...], float] = defaultdict(float)
    seqs: dict[str, float] = {}
    for levels in total.levels:
        for (kind, *labels), value in levels.items():
            if kind == "held":
                held[tuple(labels)] += value
            elif kind == "seq":
                seqs[labels[0]] = min(value, seqs.get(labels[0], value))
    yield GaugeMetricFamily("api_workers", "Processes that answer.", len(total.levels))
    loads = GaugeMetricFamily(
        "model_load", "How many processes hold a version in memory.", labels=("model", "version")
    )
    for pair, n in held.items():
        loads.add_metric(pair, n)
    yield loads
    yield _by_model(
        "model_release_seq", "Release that serves; of several workers the oldest.", seqs
    )
    yield CounterMetricFamily(
        "model_load_failures",
        "Releases that could not be loaded.",
        total.counts[("load_failures",)][0],
    )
    yield CounterMetricFamily(
        "shadow_dropped",
        "Shadow answers that were dropped.",
        total.counts[("shadow_dropped",)][0],
    )


def _by_model(name: str, says: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, says, labels=("model",))
    for model, value in values.items():
        family.add_metric((model,), value)
    return family


def _log(service: Service) -> Iterator[Metric]:
    spool, now = service.spool, service.clock().timestamp()
    yield GaugeMetricFamily(
        "spool_bytes", "Bytes of the prediction log on disk.", spool.used_bytes()
    )
    yield GaugeMetricFamily("spool_limit_bytes", "Bound of the prediction log.", spool.max_bytes)
    yield from _age(
        "spool_age_seconds",
        "Since the prediction log was last moved whole to the database.",
        spool.folder / "shipper.lock",
        now,
    )
    yield from _age(
        "snapshot_age_seconds",
        "Of what a start without the database would serve from.",
        service.snapshots.path,
        now,
    )


def _age(name: str, says: str, path: Path, now: float) -> Iterator[Metric]:
    """Yield how long ago a file changed; nothing of a file that is not there."""
    try:
        changed = path.stat().st_mtime
    except OSError:
        return
    yield GaugeMetricFamily(name, says, max(0.0, now - changed))


def _stored(service: Service) -> Iterator[Metric]:
    stored = service.stored
    trainings = CounterMetricFamily(
        "model_retraining", "Trainings that ended.", labels=("model", "state")
    )
    for (model, state), n in stored.trainings.items():
        trainings.add_metric((model, state), n)
    yield trainings
    yield _by_model(
        "model_retraining_duration_seconds",
        "Duration of the newest training.",
        stored.training_seconds,
    )
    yield _by_model("model_drift_score", "Newest drift score.", stored.drift_scores)
    yield _by_model(
        "model_accuracy", "Accuracy of labelled predictions of the last day.", stored.accuracies
    )
    yield GaugeMetricFamily(
        "jobs_waiting", "Jobs that no worker has taken yet.", stored.jobs_waiting
    )

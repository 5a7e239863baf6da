"""What Prometheus reads; a scrape never waits for the database."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.serving import board
from core.serving.service import Service

_LABELS = ("endpoint", "method", "status")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Instruments:
    """The counters of one api process, in a registry of its own."""

    def __init__(self, service: Service) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Now(service))
        self._requests = Counter(
            "api_requests_total", "Requests answered.", _LABELS, registry=self.registry
        )
        self._seconds = Histogram(
            "api_request_duration_seconds",
            "Time from the first byte to the answer.",
            _LABELS,
            buckets=_SECONDS,
            registry=self.registry,
        )

    def request(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        labels = (endpoint, method, str(status))
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(seconds)

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self.registry)


class _Now(Collector):
    """Figures of this moment; nothing here waits for the database."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """Declare nothing ahead: the names do not collide with ours."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield gauges of memory, log and models, and counters of trainings."""
        service = self._service
        loads = GaugeMetricFamily(
            "model_load", "1 per version in memory.", labels=("model", "version")
        )
        for model, version in board.loaded(service.board):
            loads.add_metric((model, version), 1)
        yield loads
        yield CounterMetricFamily(
            "model_load_failures", "Releases that could not be loaded.", service.load_failures
        )
        yield GaugeMetricFamily(
            "spool_bytes", "Bytes of the prediction log on disk.", service.spool.used_bytes()
        )
        yield GaugeMetricFamily(
            "spool_limit_bytes", "Bound of the prediction log.", service.spool.max_bytes
        )
        yield CounterMetricFamily(
            "shadow_dropped", "Shadow answers that were dropped.", service.shadows.dropped
        )
        yield from _stored(service)


def _stored(service: Service) -> Iterator[Metric]:
    stored = service.stored
    trainings = CounterMetricFamily(
        "model_retraining", "Trainings that ended.", labels=("model", "state")
    )
    for (model, state), n in stored.trainings.items():
        trainings.add_metric((model, state), n)
    yield trainings
    seconds = GaugeMetricFamily(
        "model_retraining_duration_seconds", "Duration of the newest training.", labels=("model",)
    )
    for model, duration in stored.training_seconds.items():
        seconds.add_metric((model,), duration)
    yield seconds
    drift = GaugeMetricFamily("model_drift_score", "Newest drift score.", labels=("model",))
    for model, score in stored.drift_scores.items():
        drift.add_metric((model,), score)
    yield drift
    accuracy = GaugeMetricFamily(
        "model_accuracy", "Accuracy of labelled predictions of the last day.", labels=("model",)
    )
    for model, value in stored.accuracies.items():
        accuracy.add_metric((model,), value)
    yield accuracy
    jobs = GaugeMetricFamily("jobs_waiting", "Jobs that no worker has taken yet.")
    jobs.add_metric((), stored.jobs_waiting)
    yield jobs

"""What the figures' routes answer, field by field."""

from pydantic import Field

from api.schemas import Answer


class Stage(Answer):
    """One step of answering; None where nothing was measured."""

    count: int
    p50_ms: float | None
    p99_ms: float | None


class Performance(Answer):
    """The last five minutes of this process; latencies in milliseconds."""

    api_latency_p99: float | None
    model_inference_time_p99: float | None
    memory_usage_mb: float
    cpu_usage_percent: float
    requests_per_minute: float
    error_rate: float
    stages: dict[str, Stage] = Field(description="By step: auth, assign, score, spool.")

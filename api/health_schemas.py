"""What the health routes answer."""

from pydantic import Field

from api.schemas import Answer


class Health(Answer):
    """How this process is."""

    status: str = Field(description="healthy, or degraded", examples=["healthy"])
    reasons: list[str] = Field(description="Why it is degraded; empty when it is healthy.")
    model_name: str | None
    current_model_version: str | None
    durability: str = Field(
        description="What answered predictions survive: the end of the process, or of the power.",
        examples=["process"],
    )
    uptime_seconds: float
    request_count: int
    error_count: int
    models_loaded: list[str] = Field(examples=[["sms_spam 1.2.0"]])


class Alive(Answer):
    """One word."""

    status: str = Field(examples=["alive"])


class Ready(Answer):
    """That predictions are answered, and whether something is amiss nevertheless."""

    status: str = Field(description="ready, or degraded", examples=["ready"])
    reasons: list[str] = Field(description="Why it is degraded; empty when it is not.")

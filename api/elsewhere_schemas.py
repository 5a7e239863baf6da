"""What clients send and get about predictions that were made elsewhere."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, WithJsonSchema

from api.schemas import (
    Answer,
    Body,
    Feature,
    FeedbackRefusal,
    Label,
    Name,
    Short,
    VersionName,
    Words,
)


class LoggedItem(Body):
    """One prediction: what was asked, what was answered, and, if known, what was true."""

    version: VersionName
    message: Words | None = Field(None, description="For a text model.")
    features: dict[str, Feature] | None = Field(None, max_length=500)
    prediction: Label
    confidence: float = Field(ge=0, le=1, description="The probability of the predicted class.")
    latency_ms: float = Field(0.0, ge=0, le=1e9)
    user_id: Short | None = None
    request_id: Short | None = Field(None, description="Repeat it, and it is stored once.")
    true_label: Label | None = None


class LoggedBody(Body):
    """Predictions of one model, each with its version."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model_name": "sms_spam",
                    "predictions": [
                        {
                            "version": "2.0.0",
                            "message": "Claim your prize",
                            "prediction": "spam",
                            "confidence": 0.97,
                            "latency_ms": 3.1,
                            "true_label": "spam",
                        }
                    ],
                }
            ]
        }
    )
    model_name: Name | None = None
    predictions: list[Annotated[Any, WithJsonSchema(LoggedItem.model_json_schema())]] = Field(
        min_length=1
    )


class LoggedAnswer(Answer):
    """An id per prediction, null where it was refused."""

    status: str = Field(examples=["accepted"])
    prediction_ids: list[str | None]
    refused: list[FeedbackRefusal]

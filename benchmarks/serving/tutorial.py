"""The peer that most tutorials build: FastAPI, a pydantic body, a pipeline from joblib.

`async def`, because it is the cheaper way for the peer: `def` adds a thread's hand-over to each
request.
"""

import os
from typing import Any

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel, create_model


class Message(BaseModel):
    """A text."""

    message: str


def create() -> FastAPI:
    """Serve the pipeline in the file that TUTORIAL_MODEL names."""
    pipeline, app = joblib.load(os.environ["TUTORIAL_MODEL"]), FastAPI()
    columns = getattr(pipeline, "feature_names_in_", None)
    body: Any = Message
    if columns is not None:
        body = create_model("Row", **dict.fromkeys(columns, (float | None, None)))

    @app.post("/predict")
    async def predict(item: body) -> dict[str, Any]:  # type: ignore[valid-type]
        given = [item.message] if columns is None else pd.DataFrame([item.model_dump()])
        probabilities = pipeline.predict_proba(given)[0]
        best = int(probabilities.argmax())
        return {"label": str(pipeline.classes_[best]), "probability": float(probabilities[best])}

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app

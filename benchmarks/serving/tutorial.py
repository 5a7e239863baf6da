"""The peer that most tutorials build: FastAPI, a pydantic body, a pipeline from joblib.

Two forms of one route: `async def` as in FastAPI's first steps, which computes on the event loop,
and plain `def`, which its documentation advises for work that blocks: each request is handed over
to a thread, and costs more.
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
    """Serve the pipeline in the file that TUTORIAL_MODEL names, on the event loop."""
    return _build(threads=False)


def create_with_threads() -> FastAPI:
    """Serve it in threads."""
    return _build(threads=True)


def _build(*, threads: bool) -> FastAPI:
    pipeline, app = joblib.load(os.environ["TUTORIAL_MODEL"]), FastAPI()
    columns = getattr(pipeline, "feature_names_in_", None)
    body: Any = Message
    if columns is not None:
        body = create_model("Row", **dict.fromkeys(columns, (float | None, None)))

    def predict(item: body) -> dict[str, Any]:  # type: ignore[valid-type]
        given = [item.message] if columns is None else pd.DataFrame([item.model_dump()])
        probabilities = pipeline.predict_proba(given)[0]
        best = int(probabilities.argmax())
        return {"label": str(pipeline.classes_[best]), "probability": float(probabilities[best])}

    async def predict_here(item: body) -> dict[str, Any]:  # type: ignore[valid-type]
        return predict(item)

    app.post("/predict")(predict if threads else predict_here)

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    return app

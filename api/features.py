"""Shared features: what is defined, and new values for those that are looked up."""

from typing import Any

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.feature_schemas import FeatureList, FeatureValuesAnswer, FeatureValuesBody
from core import features
from core.errors import TooLargeError
from core.features import values
from core.features.values import Given

reading = auth.router("read", tag="features")
operating = auth.router("operate", tag="features")


@reading.get("/api/v1/features", response_model=FeatureList, responses=guarded(503))
def defined(service: Serving) -> dict[str, Any]:
    """Return the newest version of every feature."""
    with service.db.read() as session:
        found = features.newest(session)
    rows = [{"name": d.label, "type": d.type, "how": d.how, "words": d.words} for d in found]
    return {"features": rows}


@operating.post(
    "/api/v1/features/values",
    response_model=FeatureValuesAnswer,
    responses=guarded(404, 413, 422, 503),
)
def load(body: FeatureValuesBody, service: Serving, caller: Asking) -> dict[str, Any]:
    """Add values of looked-up features; one that is known already changes nothing."""
    most = service.settings.max_batch
    if len(body.values) > most:
        raise TooLargeError(f"one request may hold at most {most:,} values")
    given = [Given(v.feature, v.entity_id, v.at, v.value) for v in body.values]
    done = values.load(service.db, caller.actor, given, source="REST")
    return {"new": done.new, "known": done.known}

"""Alerts of other systems, as Alertmanager's webhook sends them."""

from dataclasses import asdict
from typing import Any

from api import auth
from api.auth import Asking, Serving
from api.docs import guarded
from api.outside_schemas import Taken, Told
from core.incidents import outside

router = auth.router("alerts", tag="monitoring")


@router.post("/alerts/webhook", response_model=Taken, responses=guarded(413, 422))
def webhook(body: Told, service: Serving, caller: Asking) -> dict[str, Any]:
    """Take alerts of another system; they become incidents, and are diagnosed like our own."""
    told = [
        outside.read(one.labels, one.annotations, mark=one.fingerprint, firing=one.firing)
        for one in body.alerts
    ]
    return asdict(outside.receive(service.db, service.settings, caller.actor, told))

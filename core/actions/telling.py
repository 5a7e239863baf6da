"""Kinds that ask others for something, or tell them: a training, labels, a message."""

from core import label_requests, outbox, runs
from core.actions.cases import Back, Case, Effect, Found, inverse
from core.errors import ConflictError
from core.recommendations import means
from core.tables.base import Json


def _retrain(case: Case) -> tuple[Json, Json]:
    run = runs.request_in(
        case.command, case.model, kind="retrain", trigger="recommendation", reason=case.row.title
    )
    return {"run_id": run.id}, {}


def _collect(case: Case) -> tuple[Json, Json]:
    rows = int(case.arguments["rows"])
    made = label_requests.open_in(case.command, model=case.model, rows=rows, reason=case.row.title)
    after = {"label_request": made.id, "rows": len(made.prediction_ids)}
    return after, inverse("close_request", request=made.id)


def _close(back: Back) -> str:
    row = label_requests.close_in(
        back.command, back.arguments["request"], because=f"undone: {back.reason}"
    )
    back.action.state = "reverted"
    return f"no more labels of {row.model} are asked for; those that were given stay"


def _is_open(found: Found) -> None:
    label_requests.check_open(label_requests.get(found.session, found.arguments["request"]))


def _somebody_listens(case: Case) -> None:
    if not case.channels:
        raise ConflictError(means.NO_CHANNEL)


def _notify(case: Case) -> tuple[Json, Json]:
    outbox.post(
        case.command,
        case.channels,
        case.row.title,
        model=case.model,
        severity=case.row.severity,
        text=case.row.reasoning,
        path=f"/recommendation?id={case.row.id}",
    )
    return {"told": ", ".join(case.channels)}, {}


EFFECTS = {
    "retrain": Effect(_retrain),
    "collect_labels": Effect(_collect),
    "notify": Effect(_notify, _somebody_listens),
}

INVERSES = {"close_request": _close}

STILL = {"close_request": _is_open}

FINAL = {
    "retrain": "a training changes nothing that serves; cancel it while it runs",
    "notify": "a message that was sent cannot be taken back; send another one",
}

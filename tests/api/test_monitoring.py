"""The watch over models, as REST tells it."""

from datetime import timedelta

import pytest

from core import audit, jobs
from core.ids import new_id
from core.panel import Panel
from core.tables.entities import Alert, Incident
from core.tables.telemetry import MonitorReport
from tests.api.conftest import is_problem

WATCH = {"used": 0.4, "alarm": False, "families": {"text": 0.4}, "checks": 7, "leading": "text"}
SIGNAL = {
    "rule": "drift", "state": "firing", "severity": "high", "value": 0.4, "threshold": 1.0,
    "sentence": "The words changed.", "n": 500,
}  # fmt: skip
DRIFT = {
    "drift_detected": True,
    "watch": WATCH,
    "new_terms": [{"term": "crypto"}],
    "campaigns": [{"size": 40, "share": 0.1, "example": "buy", "terms": ["buy"], "more": 1}],
    "signals": [SIGNAL],
}
LABELS = {"coverage": 0.8, "lag_median_hours": 2.0, "n_predictions": 100, "n_labelled": 80}


@pytest.fixture
def report(db, clock):
    """Store a report a minute later than the one before; returns its id."""

    def put(kind="drift", state="fail", figures=(), **fields):
        clock.forward(minutes=1)
        row = {
            "id": new_id(clock()), "model": "sms_spam", "version": "2.0.0", "origin": "live",
            "window_start": clock(), "window_end": clock(), "window_last_id": "x",
            "n_current": 500, "n_reference": 1000, "p_value": 0.001, "score": 0.4,
            "method": "m", "sentence": f"About {kind}.", "assumptions": "", "at": clock(),
        }  # fmt: skip
        row |= {"kind": kind, "state": state, "figures": dict(figures), **fields}
        with db.append() as session:
            session.add(MonitorReport(**row))
        return row["id"]

    return put


@pytest.fixture
def incident(db, worker):
    with db.command(worker, "incident.open") as command:
        row = Incident(
            id=new_id(command.now),
            model="sms_spam",
            version="2.0.0",
            state="open",
            severity="high",
            cause="drift",
            title="The data has drifted: SMS spam 2.0.0",
            timeline=[],
            opened_at=command.now,
        )
        alert = Alert(
            id=new_id(command.now),
            model="sms_spam",
            rule="drift",
            severity="high",
            fingerprint="f",
            state="firing",
            value=0.4,
            threshold=1.0,
            incident_id=row.id,
            report_id="r",
            at=command.now,
        )
        command.session.add_all([row, alert])
    return row


def test_drift_tells_columns_campaigns_and_how_much_of_the_alarm_budget_is_used(client, report):
    column = {"name": "age", "kind": "numeric", "change": "location", "detail": "50 → 59",
              "distance": 0.4, "p_value": 0.001, "drifted": True}  # fmt: skip
    report(figures={**DRIFT, "columns": [{**column, "psi": 0.2}]})
    body = client.get("/metrics/drift").json()
    assert (body["budget_used"], body["alarm"], body["checks"]) == (0.4, False, 7)
    assert (body["families"], body["leading"]) == ({"text": 0.4}, "text")
    assert body["columns"] == [column]
    assert body["campaigns"] == [{"size": 40, "share": 0.1, "example": "buy", "terms": ["buy"]}]


def test_status_has_a_line_per_released_model_with_both_accuracies(client, report, incident):
    report(figures=DRIFT)
    report("performance", "pass", {"accuracy": 0.95, "labels": LABELS})
    report("estimate", "pass", {"accuracy": 0.93})
    body = client.get("/monitoring/status").json()
    assert [one["model"] for one in body["models"]] == ["heart_disease", "sms_spam"]
    line = body["models"][1]
    assert (line["drift"], line["budget_used"], line["open_incidents"]) == ("fail", 0.4, 1)
    assert (line["accuracy"], line["estimated_accuracy"]) == (0.95, 0.93)
    assert line["label_coverage"] == 0.8
    assert body["models"][0]["drift"] == "unchecked"


def test_the_dashboard_says_what_the_pages_say_first(client, report, incident):
    report(figures=DRIFT)
    report("performance", "pass", {"accuracy": 0.95, "accuracy_interval": [0.9, 0.98],
                                   "baseline_accuracy": 0.97, "f1": 0.9, "labels": LABELS})  # fmt: skip
    report("estimate", "warn", {"accuracy": 0.93, "accuracy_interval": [0.92, 0.94]})
    body = client.get("/api/v1/monitoring/dashboard/sms-spam").json()
    assert body["finding"] == "The data has drifted: SMS spam 2.0.0."
    assert (body["version"], body["release"]) == ("2.0.0", 2)
    assert body["performance"]["estimated_interval"] == [0.92, 0.94]
    assert body["performance"]["labels"]["lag_median_hours"] == 2.0
    assert [one["kind"] for one in body["checks"]] == ["drift", "performance", "estimate"]
    assert body["checks"][0]["signals"] == [SIGNAL]
    assert (body["incidents"][0]["id"], body["alerts"]) == (incident.id, {"firing": 1})


def test_without_a_check_the_dashboard_says_so_and_names_are_known(client):
    body = client.get("/api/v1/monitoring/dashboard/heart_disease").json()
    assert (body["finding"], body["checks"]) == ("No check has run yet.", [])
    assert body["performance"]["accuracy"] is None
    is_problem(client.get("/api/v1/monitoring/dashboard/ghost"), 404)


def test_a_backfilled_report_is_listed_but_is_not_the_newest(client, report):
    report(state="pass")
    report(origin="backfill", figures=DRIFT)
    assert client.get("/metrics/drift").json()["state"] == "pass"
    origins = [o["origin"] for o in client.get("/api/v1/monitoring/reports").json()["reports"]]
    assert origins == ["backfill", "live"]


def test_reports_are_listed_by_model_kind_and_time_page_by_page(client, report, clock):
    first = report()
    report("quality", "pass")
    newest = [report(state="pass"), report(state="warn")][::-1]
    url = "/api/v1/monitoring/reports"
    page = client.get(url, params={"model": "sms-spam", "kind": "drift", "limit": 2}).json()
    assert [one["id"] for one in page["reports"]] == newest
    rest = client.get(url, params={"kind": "drift", "before": page["next"]}).json()
    assert ([one["id"] for one in rest["reports"]], rest["next"]) == ([first], None)
    since = (clock() - timedelta(seconds=30)).isoformat()
    assert len(client.get(url, params={"since": since}).json()["reports"]) == 1
    assert client.get(url, params={"model": "heart_disease"}).json()["reports"] == []
    is_problem(client.get(url, params={"model": "ghost"}), 404)
    is_problem(client.get(url, params={"kind": "rain"}), 422)


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_moment_that_utc_cannot_say_is_refused(client, since):
    answer = client.get("/api/v1/monitoring/reports", params={"since": since})
    is_problem(answer, 422)
    assert "in UTC this is before the year 1" in answer.text


def test_one_report_has_all_of_its_figures(client, report):
    key = report(figures=DRIFT)
    body = client.get(f"/api/v1/monitoring/reports/{key}").json()
    assert (body["figures"]["watch"], body["method"]) == (WATCH, "m")
    is_problem(client.get(f"/api/v1/monitoring/reports/{new_id()}"), 404)


def test_a_check_is_asked_for_once_and_its_result_is_told(client, db, settings, clock):
    first = client.post("/api/v1/monitoring/run", json={"model_name": "sms-spam"})
    assert first.status_code == 202, first.text
    again = client.post("/api/v1/monitoring/run")
    assert again.json() == first.json()
    told = client.get(first.json()["status_url"]).json()
    assert (told["status"], told["model"], told["found"]) == ("queued", "sms_spam", [])

    done(Panel(settings, db, clock), first.json()["job_id"])

    told = client.get(first.json()["status_url"]).json()
    assert (told["status"], told["found"]) == ("succeeded", ["No drift."])
    third = client.post("/api/v1/monitoring/run").json()
    assert third["job_id"] != told["job_id"]
    with db.read() as session:
        row = audit.tail(session, action="report.request")[0]
    assert (row.actor, row.detail["kind"]) == ("key:all", "monitor")


def done(panel, job_id):
    claim = jobs.claim(panel.db, "w", lease=timedelta(minutes=1), only=job_id)
    assert claim.payload == {"model": "sms_spam"}
    jobs.finish(panel.db, claim, "succeeded", result={"reports": ["No drift."]})


def test_a_check_of_what_is_not_there_and_a_job_that_is_no_check_are_refused(client, db, clock):
    is_problem(client.post("/api/v1/monitoring/run", json={"model_name": "ghost"}), 404)
    with db.keep() as session:
        other = jobs.enqueue(session, "train", {}, now=clock()).id
    is_problem(client.get(f"/api/v1/monitoring/jobs/{other}"), 404, "no check")


def test_a_key_that_may_only_read_cannot_ask_for_a_check(client, secrets):
    headers = {"X-API-Key": secrets["read"]}
    is_problem(client.post("/api/v1/monitoring/run", headers=headers), 403)

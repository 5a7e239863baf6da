"""The panel on a SQLite file, driven by Streamlit's own test runner."""

import shutil
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from app import auth, nav, session
from core import recommendations, releases, specs, users
from core.access import system
from core.ids import new_id
from core.panel import Panel
from core.recommendations import Basis, propose
from core.tables.decisions import Outcome
from core.tables.entities import Incident, ModelVersion
from core.tables.operational import Delivery
from core.tables.telemetry import HourlyCount, Label, MonitorReport, Prediction

ROOT = Path(__file__).parents[2]

SPEC = """
name: sms_spam
title: SMS spam
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: logistic_regression}, {kind: complement_nb}]
"""


@pytest.fixture(scope="session", autouse=True)
def _scanned_once():
    """Look for components among all installed packages once, as a server does: not for each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            manifest_scanner,
            "scan_component_manifests",
            cache(manifest_scanner.scan_component_manifests),
        )
        yield


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """Pages do not depend on the kind of database: one is enough."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def panel(settings, db, clock, monkeypatch):
    built = Panel(settings, db, clock)
    monkeypatch.setattr(session, "panel", lambda: built)
    return built


@pytest.fixture
def open_page(panel):
    """Open a page as a signed-in person: ``open_page("releases", ana, model="sms_spam")``."""

    def open_as(stem, actor, **query):
        page = AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=90)
        if actor is not None:
            with panel.db.read() as db:
                person = next(user for user in users.all(db) if user.name == actor.name)
            page.session_state[auth.TOKEN] = users.start_session(
                panel.db, person, via="panel", hours=1
            )
        if stem != nav.LANDING:  # a page is known by its file's name, the first one is not
            page.switch_page(f"../pages/{stem}.py")
        page.query_params.update(query)
        return page.run()

    return open_as


@pytest.fixture
def model(panel):
    """A model with a spec, not trained yet."""
    specs.apply(panel.db, system("bootstrap"), SPEC)
    return "sms_spam"


@pytest.fixture
def served(panel, model, worker):
    """The model with 1.0.0 and 2.0.0 released in turn, and 3.0.0 as a candidate."""
    for number in (1, 2, 3):
        with panel.db.command(worker, "version.register") as command:
            command.session.add(version(model, number, command.now))
        if number < 3:
            with panel.db.command(worker, "release.promote") as command:
                newest = releases.find_current(command.session, model)
                seq = newest.seq if newest else 0
                words = "better in training"
                releases.promote(command, model, f"{number}.0.0", replaces=seq, reason=words)
    return model


def version(model, number, now):
    return ModelVersion(
        model=model,
        version=f"{number}.0.0",
        number=number,
        state="candidate",
        run_id=f"run-{number}",
        algorithm="logistic_regression",
        artifact="a" * 64,
        signature={
            "task": "text",
            "input": {"text": "message"},
            "labels": ["ham", "spam"],
            "positive": "spam",
        },
        metrics={"accuracy": 0.95 + number / 100, "f1": 0.9, "n_test": 1000},
        gate={
            "answer": "promote",
            "reasons": ["more answers are right than those of what serves"],
            "difference": {"value": 0.01, "low": 0.002, "high": 0.018},
            "n": 1000,
        },
        train_dataset_id="d1",
        test_dataset_id="d2",
        reference_dataset_id="d3",
        at=now,
    )


@pytest.fixture
def card(panel, served):
    """A proposal of the agent to roll back, with evidence."""
    return propose(
        panel.db,
        system("agent"),
        model=served,
        kind="rollback",
        arguments={"to": "1.0.0"},
        title="Roll back sms_spam to 1.0.0",
        reasoning="Accuracy fell right after the release.",
        basis=Basis(
            decision="rollback",
            severity="high",
            confidence=0.9,
            reasoner="rules",
            evidence=[
                {
                    "fact": "accuracy.current",
                    "label": "accuracy now",
                    "value": 0.81,
                    "interval": [0.78, 0.84],
                    "n": 700,
                    "link": f"/performance?model={served}",
                }
            ],
            expected={"metric": "accuracy", "effect": 0.1, "low": 0.05, "high": 0.15, "n": 700},
        ),
    )


@pytest.fixture
def done(panel, served, ana):
    """A retrain that was approved, carried out, and graded as good."""
    row = propose(
        panel.db, system("agent"), model=served, kind="retrain", arguments={}, title="Retrain it",
        reasoning="drift",
    )  # fmt: skip
    recommendations.approve(panel.db, ana, row.id, digest=row.digest, solo=False)
    with panel.db.command(system("executor"), "action.execute") as command:
        action = recommendations.action(command.session, row.id)
        action.state, action.finished_at = "succeeded", command.now
        action.before, action.after = {"serves": "2.0.0"}, {"serves": "2.0.0"}
        recommendations.move(command.session, row.id, ("approved",), "succeeded")
        graded = {"grade": "good", "expected": {}, "measured": {}, "at": command.now}
        about = {"recommendation_id": row.id, "model": served, "kind": "retrain"}
        command.session.add(Outcome(**about, **graded, sentence="The gate let it through."))
    return row


@pytest.fixture
def traffic(panel, served, clock):
    """Sixty answered and labelled messages of the last hour, nine of ten right."""
    with panel.db.append() as db:
        for index in range(60):
            at = clock.now - timedelta(minutes=index)
            one = new_id(at)
            db.add(prediction(served, one, at))
            truth = "spam" if index % 10 == 0 else "ham"
            db.add(Label(prediction_id=one, source="t", value=truth, state="confirmed", at=at))
        db.add_all(counted(served, clock.now))
    return served


def counted(model, now):
    """The counters of one answer in this hour, and of 59 requests in the one before."""
    of = {"model": model, "version": "2.0.0", "variant": "control", "positives": 0}
    hour = int(now.timestamp() // 3600)
    this = {"requests": 1, "errors": 0, "latency_ms_sum": 3.0, "latency_buckets": {"5": 1}}
    slow = {"latency_ms_sum": 168.0, "latency_buckets": {"5": 49, "10": 7}}
    before = {"requests": 59, "errors": 3, **slow}
    return [HourlyCount(**of, hour=hour, **this), HourlyCount(**of, hour=hour - 1, **before)]


def prediction(model, key, at):
    return Prediction(
        at=at,
        id=key,
        model=model,
        version="2.0.0",
        variant="control",
        release_seq=2,
        is_shadow=False,
        hour=int(at.timestamp() // 3600),
        sample_key=1,
        input={"text": "hello"},
        label="ham",
        probability=0.1,
        latency_ms=3.0,
        entity_id=None,
        experiment=None,
        key_id="k",
    )


@pytest.fixture
def drifted(panel, served, clock):
    """One window that drifted, with a new word whose example holds Markdown."""
    term = {
        "term": "crypto",
        "share_reference": 0.001,
        "share_current": 0.3,
        "p_value": 0.001,
        "example": "![x](http://evil.example/x.png) crypto now",
    }
    report = MonitorReport(
        id=new_id(clock.now),
        model=served,
        version="2.0.0",
        kind="drift",
        state="fail",
        window_start=clock.now - timedelta(hours=1),
        window_end=clock.now,
        window_last_id="x",
        follows="",
        n_current=300,
        n_reference=3000,
        p_value=0.001,
        score=0.31,
        method="permutation",
        sentence="The texts have changed: crypto is new.",
        figures={"new_terms": [term], "vanished_terms": [], "threshold": 0.15},
        assumptions="Windows are independent.",
        at=clock.now,
    )
    with panel.db.append() as db:
        db.add(report)
    return report


@pytest.fixture
def incident(panel, served, worker):
    with panel.db.command(worker, "incident.open") as command:
        entry = {"at": command.now.isoformat(), "who": "worker", "what": "opened: drift"}
        row = Incident(
            id=new_id(command.now),
            model=served,
            version="2.0.0",
            state="open",
            severity="high",
            cause="drift",
            title="The data has drifted: SMS spam 2.0.0",
            timeline=[entry],
            opened_at=command.now,
        )
        command.session.add(row)
    return row


@pytest.fixture
def dead_message(panel, clock):
    with panel.db.keep() as db:
        row = Delivery(
            id=new_id(clock.now),
            channel="slack",
            subject="Decision needed",
            payload={},
            state="dead",
            attempts=8,
            next_at=clock.now,
            last_error="the address does not answer",
            created_at=clock.now,
        )
        db.add(row)
    return row


@pytest.fixture
def put_report(panel, served, clock):
    """Store a report of the model: ``put_report("volume", state="warn", figures={...})``."""

    def put(kind, *, ago=timedelta(0), **more):
        end = clock.now - ago
        key = new_id(end)
        row = MonitorReport(
            **{"id": key, "model": served, "version": "2.0.0", "kind": kind, "state": "pass"},
            **{"window_start": end - timedelta(hours=1), "window_end": end, "window_last_id": key},
            **{"follows": f"before {key}", "n_current": 300, "n_reference": 1000, "at": end},
            **{"method": "m", "sentence": f"This is about {kind}.", "assumptions": "none"},
            **{"figures": {}},
        )
        for name, value in more.items():
            setattr(row, name, value)
        with panel.db.append() as db:
            db.add(row)
        return row

    return put

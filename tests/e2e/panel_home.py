"""Installations for tests that look at the panel: one with a story, one empty, one that is full."""

import random
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from core import heartbeat, incidents, keys, migrations, releases, specs, users
from core.access import Actor, Role, system
from core.automation import schedule
from core.automation.drill import rows as drills
from core.clock import utc_now
from core.datasets import versions as datasets
from core.experiments import lifecycle
from core.panel import Panel, build
from core.recommendations import Basis, propose, reject
from core.serving import artifacts
from core.settings import ROOT, Settings
from core.tables.entities import Incident
from core.tables.telemetry import Label, MonitorReport
from tests.e2e import panel_rows
from tests.fakes.drilled import result
from tests.serving_kit import TABLE, TEXT, table_pipeline, text_pipeline

PASSWORD = "a-long-password-for-tests"
SECRET = "only-for-tests-0123456789abcdefghij"
SECRETS = {
    "PILOTHOUSE_SECRET_KEY": SECRET,
    "PILOTHOUSE_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.example/services/T0/B0/keepthistoyourself",
}
PEOPLE = {
    "vic": Role.VIEWER,
    "ana": Role.OPERATOR,
    "sue": Role.OPERATOR,
    "apo": Role.APPROVER,
    "adm": Role.ADMIN,
}
AGENT, BOOT, EXECUTOR, WORKER = (system(n) for n in ("agent", "bootstrap", "executor", "worker"))
ANA, APO = Actor("ana", Role.OPERATOR), Actor("apo", Role.APPROVER)


class Past:
    """A clock that runs as ours does, some time behind."""

    behind = timedelta()

    def __call__(self) -> datetime:
        return utc_now() - self.behind


def open_home(home: Path, url: str = "", *, people: Collection[str] = PEOPLE) -> Panel:
    """An installation in `home` with its tables and people."""
    url = url or f"sqlite:///{home}/pilothouse.db"
    settings = Settings(
        _env_file=None, home=home, database_url=url, secret_key=SECRET, offline=True, data_dir=None
    )
    panel = build(settings, Past())
    migrations.upgrade(panel.db)
    for name in people:
        users.create(panel.db, BOOT, name=name, role=PEOPLE[name], password=PASSWORD)
    specs.install(panel.db, ROOT / "specs")
    return panel


def tell_a_story(panel: Panel) -> None:
    """Two models serve, one has drifted; three decisions wait; somebody should look."""
    panel.clock.behind = timedelta(hours=30)
    datasets.load(panel.db, BOOT, panel.settings, "breast_cancer")
    for number in (1, 2, 3):
        add_version(panel, "sms_spam", number, released=number < 3)
        add_version(panel, "heart_disease", number, released=number < 3)
    experiment(panel)
    panel.clock.behind = timedelta()
    traffic(panel, "sms_spam", 900, hours=24)
    traffic(panel, "heart_disease", 400, hours=24, treatment=True)
    reports = [panel_rows.text_report(hours) for hours in range(24, 0, -2)]
    reports += [panel_rows.table_report(hours) for hours in range(24, 0, -4)]
    append(panel, [*reports, panel_rows.performance_report()])
    runs(panel)
    found = incident(panel, reports[11])
    three_decisions(panel, found)
    drilled(panel)
    machinery(panel)


def drilled(panel: Panel) -> None:
    asked = drills.request(panel.db, ANA, "sms_spam", "drift", queue=False)
    drills.finish(panel.db, asked.id, result())


def add_version(panel: Panel, model: str, number: int, *, released: bool) -> None:
    is_text = model == "sms_spam"
    pipeline = text_pipeline() if is_text else table_pipeline()
    digest = artifacts.save(panel.settings, pipeline)
    with panel.db.command(WORKER, "version.register") as command:
        row = panel_rows.version_row(model, number, digest, command.now)
        row.signature = TEXT if is_text else TABLE
        command.session.add(row)
    if released:
        with panel.db.command(EXECUTOR, "release.promote") as command:
            newest = releases.find_current(command.session, model)
            seq = newest.seq if newest else 0
            words = "more answers are right in training"
            releases.promote(command, model, row.version, replaces=seq, reason=words)


def experiment(panel: Panel) -> None:
    row = lifecycle.draft(
        panel.db,
        ANA,
        model="heart_disease",
        name="younger patients",
        control="2.0.0",
        treatment="3.0.0",
        share=0.5,
        hypothesis="The new version errs less on patients under 50.",
        minimum_effect=0.05,
    )
    with panel.db.command(EXECUTOR, "experiment.start") as command:
        lifecycle.start_in(command, row.id)


def traffic(panel: Panel, model: str, n: int, *, hours: int, treatment: bool = False) -> None:
    """Answered requests spread over the last hours, two of three labelled, nine of ten right."""
    chance, now = random.Random(7), utc_now()
    with panel.db.read() as session:
        seq = releases.current(session, model).seq
    rows: list[object] = []
    for index in range(n):
        at = now - timedelta(hours=hours) * ((n - index) / n)
        second = treatment and index % 2 == 1
        row = panel_rows.prediction(model, seq, at, chance, second=second)
        rows.append(row)
        if index % 3:
            truth = row.label if chance.random() < 0.9 else panel_rows.other(row.label)
            rows.append(
                Label(prediction_id=row.id, source="till", value=truth, state="confirmed", at=at)
            )
    append(panel, [*rows, *panel_rows.hourly(model, n // hours, hours, now)])


def append(panel: Panel, rows: list) -> None:
    with panel.db.append() as session:
        session.add_all(rows)


def runs(panel: Panel) -> None:
    board = [
        {"kind": "logistic_regression", "parameters": {"C": 30}, "f1": 0.94, "accuracy": 0.98},
        {"kind": "complement_nb", "parameters": {"alpha": 0.1}, "f1": 0.93, "accuracy": 0.97},
    ]
    with panel.db.command(WORKER, "run.finish") as command:
        for hours, state, error in ((5, "failed", "the data has no column label"), (2, "", None)):
            at = command.now - timedelta(hours=hours)
            command.session.add(
                panel_rows.run_row(at, state or "finished", error, [] if error else board)
            )


def incident(panel: Panel, report: MonitorReport) -> Incident:
    finding = incidents.Finding("drift", 0.31, 0.15, report.id, report.sentence)
    return incidents.open(
        panel.db,
        model="sms_spam",
        version="2.0.0",
        cause="drift",
        severity="high",
        title="The data has drifted: SMS spam 2.0.0",
        finding=finding,
    ).incident


def put(panel: Panel, kind: str, title: str, *, model="sms_spam", actor=AGENT, **more):
    """Let `actor` propose something; returns the proposal."""
    arguments = more.pop("arguments", {})
    why = more.pop("why", "Three windows in a row have drifted, and accuracy fell with them.")
    more.setdefault("basis", panel_rows.basis("medium"))
    return propose(
        panel.db,
        actor,
        model=model,
        kind=kind,
        arguments=arguments,
        title=title,
        reasoning=why,
        **more,
    )


def three_decisions(panel: Panel, found: Incident) -> None:
    earlier = put(panel, "retrain", "Retrain sms_spam on last week")
    reject(panel.db, APO, earlier.id, reason="the labels were wrong that week")
    put(panel, "retrain", "Retrain sms_spam", basis=panel_rows.basis("high", found.id))
    put(panel, "rollback", "Roll back sms_spam to 1.0.0", arguments={"to": "1.0.0"})
    put(
        panel,
        "promote",
        "Release sms_spam 3.0.0",
        arguments={"version": "3.0.0"},
        actor=ANA,
        why="The gate says that it is better.",
        basis=Basis(severity="low", evidence=[panel_rows.EVIDENCE]),
    )


def machinery(panel: Panel) -> None:
    adm = Actor("adm", Role.ADMIN)
    keys.create(panel.db, adm, name="shop", scopes=["predict", "feedback"])
    for model in ("sms_spam", "heart_disease"):
        schedule.ensure(panel.db, BOOT, model, "monitor", 15)
    heartbeat.beat(panel.db, "worker")
    now = utc_now()
    with panel.db.keep() as session:
        for state, subject, error in (
            ("dead", "The data has drifted", "the address does not answer: connection refused"),
            ("sent", "Decision needed: Retrain sms_spam", None),
        ):
            session.add(panel_rows.delivery(state, subject, error, now))


def fill_up(panel: Panel) -> None:
    """10,000 predictions, 1,000 reports, 500 versions, and what comes with them."""
    now = utc_now()
    with panel.db.command(WORKER, "version.register") as command:
        for number in range(1, 501):
            at = now - timedelta(hours=600 - number)
            command.session.add(panel_rows.version_row("sms_spam", number, f"{number:064d}", at))
            command.session.add(panel_rows.run_row(at, "finished", None, []))
    with panel.db.command(WORKER, "version.register") as command:
        for number in (1, 2, 3):
            row = panel_rows.version_row("heart_disease", number, f"{number:064d}", now)
            row.signature = TABLE
            command.session.add(row)
    for version in (1, 2):
        for model in ("sms_spam", "heart_disease"):
            with panel.db.command(EXECUTOR, "release.promote") as command:
                name = f"{version}.0.0"
                releases.promote(command, model, name, replaces=version - 1, reason="it is better")
    traffic(panel, "sms_spam", 8_000, hours=168)
    traffic(panel, "heart_disease", 2_000, hours=168)
    append(panel, [panel_rows.text_report(hours) for hours in range(600)])
    append(panel, [panel_rows.table_report(hours) for hours in range(400)])
    for index in range(60):
        row = put(panel, "retrain", f"Retrain, the {index}th time")
        reject(panel.db, APO, row.id, reason="not now")
    put(panel, "retrain", "Retrain sms_spam")

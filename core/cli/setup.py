"""Setting up an installation, and saying what it has: init and doctor."""

import os
import secrets
import socket
import time
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from core import jobs, migrations, releases, runs, specs, users, worker
from core.access import Role, system
from core.automation import schedule
from core.cli.base import app, in_full, panel, print_json, say, table
from core.errors import UnavailableError
from core.panel import Panel
from core.serving import spool
from core.settings import Settings
from core.tables.entities import Run

FIRST_MODEL = "sms_spam"
BOOTSTRAP = system("bootstrap")


@app.command()
def init() -> None:
    """Set up what is missing: database, first admin, shipped specs, a first version."""
    set_up(panel())


def set_up(built: Panel) -> None:
    """Bring an installation, new or old, to a working state; running it again changes nothing.

    Raises: PilothouseError (with the step that failed).
    """
    migrations.upgrade(built.db)
    _first_admin(built)
    _apply_shipped_specs(built)
    _first_version(built)


def _first_admin(built: Panel) -> None:
    with built.db.read() as session:
        if users.all(session):
            return
    given = built.settings.admin_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(12)
    name = built.settings.admin_name
    users.create(built.db, BOOTSTRAP, name=name, role=Role.ADMIN, password=password)
    shown = "the one in PILOTHOUSE_ADMIN_PASSWORD" if given else password
    say(f"First admin: {name}   password: {shown}   (shown this once)")


def _apply_shipped_specs(built: Panel) -> None:
    """Add the shipped specs that are not there yet; an operator's edits stay."""
    for spec in specs.install(built.db, built.settings.specs_dir):
        say(f"Model spec {spec.name} applied.")
    for spec in _active_specs(built):
        schedule.ensure(built.db, BOOTSTRAP, spec.name, "monitor", built.settings.monitor_minutes)


def _first_version(built: Panel) -> None:
    with built.db.read() as session:
        if releases.find_current(session, FIRST_MODEL):
            return
    if str(FIRST_MODEL) not in {s.name for s in _active_specs(built)}:
        return
    run = _train_first(built)
    if run.version is None:
        say(f"The first training of {FIRST_MODEL} did not succeed: {run.error}")
        return
    with built.db.command(BOOTSTRAP, "release.first") as command:
        release = releases.promote(
            command, FIRST_MODEL, run.version, replaces=0, reason="the first version"
        )
        command.note(model=FIRST_MODEL, after=releases.label(release), reason=release.reason)
    say(
        f"{FIRST_MODEL} {run.version} is trained and released: accuracy "
        f"{run.metrics['accuracy']:.3f}, F1 {run.metrics['f1']:.3f} on held-out rows."
    )


def _active_specs(built: Panel) -> list[specs.ModelSpec]:
    with built.db.read() as session:
        return specs.all_active(session)


def _train_first(built: Panel) -> Run:
    """Train, or wait for the worker that already does; a run that was cut off is taken up."""
    with built.db.read() as session:
        unfinished = [r for r in runs.history(session, FIRST_MODEL) if _is_open(r)]
        finished = [r for r in runs.history(session, FIRST_MODEL) if r.state == "finished"]
    if finished:
        return finished[0]
    run = unfinished[0] if unfinished else _request(built)
    say(f"Training a first {FIRST_MODEL} version …")
    owner = f"{socket.gethostname()}-init"
    lease = timedelta(seconds=built.settings.job_lease_seconds)
    while _is_open(run):
        if claim := jobs.claim(built.db, owner, lease=lease, only=run.job_id):
            worker.carry_out(built, claim, worker.never())
        else:
            time.sleep(0.5)
        run = _read(built, run)
    _say_data(built, run)
    return run


def _request(built: Panel) -> Run:
    return runs.request(
        built.db, BOOTSTRAP, FIRST_MODEL, trigger="bootstrap", reason="the first version"
    )


def _read(built: Panel, run: Run) -> Run:
    with built.db.read() as session:
        return runs.get(session, run.id)


def _is_open(run: Run) -> bool:
    return run.state in ("queued", "running")


def _say_data(built: Panel, run: Run) -> None:
    """Print what a run said first: which data it used."""
    with built.db.read() as session:
        for line in jobs.lines(session, run.job_id)[:1]:
            say(f"Data: {line.text}")


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say what is configured, reachable and missing; exit code 1 when something needed is not."""
    built = panel()
    findings = list(_findings(built))
    if as_json:
        print_json([{"what": what, "ok": ok, "finding": text} for what, ok, text in findings])
    else:
        table(("", "what", "finding"), (("ok" if ok else "!!", w, t) for w, ok, t in findings))
    if not all(ok for _, ok, _ in findings):
        raise typer.Exit(1)


def _findings(built: Panel) -> list[tuple[str, bool, str]]:
    settings = built.settings
    findings = [_database(built)]
    writable = os.access(settings.folder("."), os.W_OK)
    findings.append(("data folder", writable, str(settings.root)))
    data = settings.data_dir
    sentence = str(data) if data else "PILOTHOUSE_DATA_DIR is not set: downloaded, else generated"
    findings.append(_log(settings))
    findings.append(("data sets", data is None or data.is_dir(), sentence))
    reasoner = settings.openai_model if settings.openai_api_key else "rules (no OPENAI_API_KEY)"
    findings.append(("agent", True, reasoner))
    channels = {
        "slack": settings.slack_webhook_url,
        "email": settings.alert_email,
        "webhook": settings.monitoring_webhook_url,
    }
    configured = [name for name, value in channels.items() if value]
    findings.append(("channels", True, ", ".join(configured) or "none: the inbox only"))
    return findings


def _log(settings: Settings) -> tuple[str, bool, str]:
    folder = settings.folder("spool")
    if problems := spool.amiss(folder):
        return "log", False, "; ".join(problems)
    end = {"process": "a killed process", "power": "a loss of power"}[settings.spool_durability]
    waiting = sum(path.stat().st_size for path in spool.files(folder)) / (1 << 20)
    return "log", True, f"answers survive {end}; {waiting:.1f} of {settings.spool_max_mb} MB used"


def _database(built: Panel) -> tuple[str, bool, str]:
    try:
        with built.db.read() as session:
            return "database", True, _served(session)
    except UnavailableError as error:
        return "database", False, in_full(error)


def _served(session: Session) -> str:
    serving = []
    for spec in specs.all_active(session):
        release = releases.find_current(session, spec.name)
        serving.append(f"{spec.name} {releases.label(release) if release else '(not released)'}")
    return "; ".join(serving) or "no model spec is applied"

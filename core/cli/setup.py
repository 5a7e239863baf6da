"""Setting up an installation: what `pilothouse init` and every start make sure of."""

import secrets
import socket
import time
from datetime import timedelta

from core import jobs, migrations, releases, runs, specs, users, worker
from core.access import Role, system
from core.automation import schedule
from core.cli.base import app, panel, say, stand_out
from core.panel import Panel
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
    _apply_shipped_specs(built)
    _first_version(built)
    _first_admin(built)  # last: the password is not to scroll away, nor be lost to what fails


def _first_admin(built: Panel) -> None:
    with built.db.read() as session:
        if users.all(session):
            return
    given = built.settings.admin_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(12)
    name = built.settings.admin_name
    users.create(built.db, BOOTSTRAP, name=name, role=Role.ADMIN, password=password)
    shown = "the one in PILOTHOUSE_ADMIN_PASSWORD" if given else password
    stand_out(f"First admin: {name}   password: {shown}   (shown this once)")


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

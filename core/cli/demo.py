"""`pilothouse demo`: the product with simulated clients and an incident, told in the terminal."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.orm import Session

from core import alive, incidents, recommendations, registry, releases, runs
from core.access import Actor, Role, local
from core.cli.base import app, read_settings, say
from core.cli.processes import check_ports
from core.cli.traffic import Client, Source
from core.clock import monotonic
from core.errors import PilothouseError, UnavailableError
from core.monitoring import reports
from core.panel import Panel, build
from core.settings import Settings

MODEL = "sms_spam"
CALM_SECONDS = 60
STORY_SECONDS = 290
ROWS_A_SECOND = 20


@app.command()
def demo(
    campaign: Annotated[str, typer.Option(help="The spam campaign that begins.")] = "crypto",
    hands_free: Annotated[
        bool, typer.Option(help="Let the demo approve what is proposed.")
    ] = False,
    end: Annotated[bool, typer.Option(help="Stop the product when the story is over.")] = False,
) -> None:
    """Run the product on a data folder of its own with clients and an incident: five minutes."""
    settings, product = _start(read_settings())
    try:
        _tell(build(settings), campaign, hands_free=hands_free, product=product)
        if not end:
            say("The product keeps running for you to look around; Ctrl-C ends it.")
            product.wait()
    except KeyboardInterrupt:
        say("Ending …")
    finally:
        if product.poll() is None:
            product.send_signal(signal.SIGTERM)
        product.wait(60)


def _start(settings: Settings) -> "tuple[Settings, subprocess.Popen[bytes]]":
    check_ports(settings)
    home = settings.root / "demo"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    password = secrets.token_urlsafe(9)
    told = {
        "PILOTHOUSE_HOME": str(home),
        "PILOTHOUSE_LOG_DIR": str(home / "logs"),
        "PILOTHOUSE_DATABASE_URL": f"sqlite:///{home / 'pilothouse.db'}",
        "PILOTHOUSE_MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
        "PILOTHOUSE_ADMIN_PASSWORD": password,
        "PILOTHOUSE_MONITOR_MINUTES": "0.2",
        "PILOTHOUSE_SOLO": "true",
    }
    os.environ.update(told)  # noqa: TID251 (for the children, and for the settings read next)
    say(f"Starting the product on a data folder of its own, {home} …")
    product = subprocess.Popen(  # noqa: S603 (our own program)
        [str(Path(sys.executable).parent / "pilothouse"), "up", "--with-parent"],
        stdout=(home / "output.log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    mine = read_settings()
    _wait_until_ready(mine, product, home)
    say(f"Panel: {mine.panel_address}   sign in as {mine.admin_name} with {password}")
    return mine, product


def _wait_until_ready(settings: Settings, product: "subprocess.Popen[bytes]", home: Path) -> None:
    """Wait for api and panel: who reads where to sign in does so at once."""
    waited_for = [
        f"http://{settings.host}:{settings.api_port}/health/ready",
        f"http://{settings.host}:{settings.panel_port}/_stcore/health",
    ]
    for _ in range(900):
        if product.poll() is not None:
            last = (home / "output.log").read_text().strip().splitlines()[-1:]
            raise PilothouseError(f"the product did not start: {' '.join(last)}")
        if not any(alive.trouble(url) for url in waited_for):
            return
        time.sleep(0.2)
    raise UnavailableError(f"the product is not ready after three minutes; see {home}/output.log")


def _tell(
    panel: Panel, campaign: str, *, hands_free: bool, product: "subprocess.Popen[bytes]"
) -> None:
    source = Source(panel, MODEL, seed=7)
    teller = Teller(panel, hands_free=hands_free)
    teller.tell(f"Clients send {ROWS_A_SECOND} messages a second and report labels for most.")
    teller.tell("Look at Performance: accuracy with its interval, traffic, latency.")
    begun = False
    with Client(panel, local("demo"), name="demo clients") as client:
        while (elapsed := teller.elapsed()) < STORY_SECONDS and product.poll() is None:
            if elapsed > CALM_SECONDS and not begun:
                begun = True
                words = f"A new spam campaign begins ({campaign}, 30 % of messages): see Drift."
                teller.tell(words)
            _one_second(client, source, campaign if begun else None)
            teller.look()
            if teller.over:
                break
    ending = "The story is over" if teller.over else "Time is up; what waits is in the Inbox"
    teller.tell(f"{ending}. Audit shows who did what and why; Releases can roll back.")


def _one_second(client: Client, source: Source, campaign: str | None) -> None:
    started = monotonic()
    rows = source.rows(ROWS_A_SECOND, campaign=campaign, share=0.3)
    try:
        answers = client.predict(MODEL, rows)
        labelled = round(ROWS_A_SECOND * 0.7)
        client.label(answers[:labelled], rows[:labelled])
    except UnavailableError as problem:
        say(f"         {problem}")
    time.sleep(max(0.0, 1 - (monotonic() - started)))


class Teller:
    """Says each new thing once, in the order in which it happens."""

    def __init__(self, panel: Panel, *, hands_free: bool) -> None:
        self.panel, self.hands_free = panel, hands_free
        self.over = False
        self._began = monotonic()
        self._told: set[str] = set()
        with panel.db.read() as session:
            self._first = releases.current(session, MODEL).seq

    def elapsed(self) -> float:
        """Return seconds since the story began."""
        return monotonic() - self._began

    def tell(self, text: str, *, key: str = "") -> None:
        """Say a sentence with the story's time, once for each key."""
        if (key or text) not in self._told:
            self._told.add(key or text)
            minutes, seconds = divmod(int(self.elapsed()), 60)
            say(f"  {minutes}:{seconds:02d}  {text}")

    def look(self) -> None:
        """Tell what is new in the database."""
        with self.panel.db.read() as session:
            steps: list[Callable[[Session], None]] = [
                self._windows,
                self._incidents,
                self._proposals,
                self._runs,
                self._releases,
            ]
            for step in steps:
                step(session)

    def _windows(self, session: Session) -> None:
        for report in reversed(reports.reports(session, MODEL, "drift", 5)):
            if report.state != "inconclusive":
                self.tell(f"Window {report.state}: {report.sentence}", key=report.id)

    def _incidents(self, session: Session) -> None:
        for incident in incidents.all(session, model=MODEL, open_only=True):
            self.tell(f"Incident: {incident.title} (Incidents)", key=incident.id)

    def _proposals(self, session: Session) -> None:
        for waiting in recommendations.waiting(session):
            self.tell(f"Waits for you in the Inbox: {waiting.title}", key=waiting.id)
            if self.hands_free:
                admin = Actor(self.panel.settings.admin_name, Role.ADMIN)
                recommendations.approve(
                    self.panel.db, admin, waiting.id, digest=waiting.digest, solo=True
                )
                self.tell("Approved by the demo.", key=f"{waiting.id} approved")

    def _runs(self, session: Session) -> None:
        for run in runs.history(session, MODEL, limit=3):
            if run.trigger == "bootstrap":
                continue
            self.tell(f"A {run.kind} is {run.state} (Training).", key=f"{run.id} {run.state}")
            if run.version is not None:
                gate = registry.get(session, MODEL, run.version).gate
                why = "; ".join(gate.get("reasons", [])[:2])
                answer = str(gate.get("answer")).replace("_", " ")
                self.tell(f"The gate says {answer} for {run.version}: {why}", key=run.version)

    def _releases(self, session: Session) -> None:
        newest = releases.current(session, MODEL)
        if newest.seq > self._first:
            self.tell(f"{MODEL} now serves {releases.label(newest)}.", key=f"release {newest.seq}")
            found = reports.reports(session, MODEL, "performance", 1)
            judged = [report for report in found if report.state in reports.JUDGED]
            if judged and judged[0].version == releases.champion(newest):
                self.tell(f"After the release: {judged[0].sentence}", key="after")
                self.over = True

"""`pilothouse doctor`: what an installation has, what answers, what is missing."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Annotated

import typer
from pydantic import SecretStr
from sqlalchemy.orm import Session

from core import alive, heartbeat, outbox, releases, specs
from core.cli.base import app, in_full, panel, print_json, table
from core.errors import UnavailableError
from core.panel import Panel
from core.serving import spool
from core.settings import Settings

_MARK = {True: "ok", None: "--", False: "!!"}
_OPENAI = "https://api.openai.com/v1"
_OPTIONAL = (
    ("ray_address", "ray", "requirements-ray.txt"),
    ("dvc_remote", "dvc", "requirements-dvc.txt"),
    ("otel_endpoint", "opentelemetry.exporter.otlp.proto.http", "requirements-otel.txt"),
)


@dataclass(frozen=True)
class Finding:
    """One thing: there (True), away or not set up without harm (None), or amiss (False)."""

    what: str
    ok: bool | None
    finding: str


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Say what is configured, reachable and missing; exit code 1 when something is amiss."""
    findings = list(_findings(panel()))
    if as_json:
        print_json([asdict(one) for one in findings])
    else:
        table(("", "what", "finding"), ((_MARK[one.ok], one.what, one.finding) for one in findings))
    if any(one.ok is False for one in findings):
        raise typer.Exit(1)


def _findings(built: Panel) -> Iterator[Finding]:
    settings = built.settings
    yield _database(built)
    yield Finding("data folder", os.access(settings.folder("."), os.W_OK), str(settings.root))
    yield _log(settings)
    yield _data(settings)
    yield from _processes(built)
    yield _mlflow(settings)
    yield _agent(settings)
    yield _channels(settings)
    yield from _packages(settings)


def _database(built: Panel) -> Finding:
    try:
        with built.db.read() as session:
            return Finding("database", True, _served(session))
    except UnavailableError as error:
        return Finding("database", False, in_full(error))


def _served(session: Session) -> str:
    serving = []
    for spec in specs.all_active(session):
        release = releases.find_current(session, spec.name)
        serving.append(f"{spec.name} {releases.label(release) if release else '(not released)'}")
    return "; ".join(serving) or "no model spec is applied"


def _log(settings: Settings) -> Finding:
    folder = settings.folder("spool")
    if problems := spool.amiss(folder):
        return Finding("log", False, "; ".join(problems))
    end = {"process": "a killed process", "power": "a loss of power"}[settings.spool_durability]
    waiting = sum(path.stat().st_size for path in spool.files(folder)) / (1 << 20)
    used = f"{waiting:.1f} of {settings.spool_max_mb} MB used"
    return Finding("log", True, f"answers survive {end}; {used}")


def _data(settings: Settings) -> Finding:
    folder = settings.data_dir
    if folder is None:
        words = "PILOTHOUSE_DATA_DIR is not set: downloaded, else generated"
        return Finding("data sets", True, words)
    there = folder.is_dir()
    return Finding("data sets", there, str(folder) if there else f"there is no folder {folder}")


def _processes(built: Panel) -> Iterator[Finding]:
    """Ask api and panel by their addresses; the others say every few seconds that they live."""
    settings = built.settings
    host = settings.host.replace("0.0.0.0", "127.0.0.1")  # noqa: S104 (asked here, not listened on)
    for what, port, path in (
        ("api", settings.api_port, "/health/ready"),
        ("panel", settings.panel_port, "/_stcore/health"),
    ):
        yield _asked(what, f"http://{host}:{port}{path}", "not started here, or not ready")
    try:
        with built.db.read() as session:
            known = heartbeat.all(session)
    except UnavailableError:
        return
    for what in ("worker", "shipper"):
        beats = [row for row in known if row.process.partition("@")[0] == what]
        living = [row for row in beats if built.clock() - row.at < heartbeat.SILENT_AFTER]
        where = ", ".join(row.process.partition("@")[2] or "here" for row in living)
        yield Finding(what, bool(living) or None, f"lives: {where}" if living else "not heard of")


def _asked(what: str, url: str, otherwise: str) -> Finding:
    trouble = alive.trouble(url)
    return Finding(what, None if trouble else True, f"{trouble}: {otherwise}" if trouble else url)


def _mlflow(settings: Settings) -> Finding:
    uri = settings.tracking_uri
    if not uri.startswith("http"):
        return Finding("mlflow", True, "a local store in the data folder")
    later = "trainings go on, and are shown there later"
    return _asked("mlflow", f"{uri.rstrip('/')}/health", later)


def _agent(settings: Settings) -> Finding:
    if not settings.openai_api_key:
        return Finding("agent", True, "rules (no OPENAI_API_KEY)")
    return _model(settings, settings.openai_api_key)


def _model(settings: Settings, key: SecretStr) -> Finding:
    """Ask the server of the language model for its models: it costs nothing."""
    import httpx

    address = settings.openai_base_url or _OPENAI
    try:
        answer = httpx.get(
            f"{address.rstrip('/')}/models",
            headers={"Authorization": f"Bearer {key.get_secret_value()}"},
            timeout=5,
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        away = f"no answer from {address}: the rules decide meanwhile"
        return Finding("agent", None, away)
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Finding("agent", False, f"{address} refuses the key: the rules decide")
    return Finding("agent", True, f"{settings.openai_model} at {address}")


def _channels(settings: Settings) -> Finding:
    configured = outbox.channels(settings)
    if settings.alert_email and "email" not in configured:
        return Finding("channels", False, "ALERT_EMAIL sends nothing without PILOTHOUSE_SMTP_HOST")
    if not configured:
        return Finding("channels", None, "none: the inbox only")
    proof = "`pilothouse alerts test` proves it"
    return Finding("channels", True, f"{', '.join(configured)}; {proof}")


def _packages(settings: Settings) -> Iterator[Finding]:
    """Name the optional packages that a setting asks for and that are not installed."""
    for setting, module, file in _OPTIONAL:
        if getattr(settings, setting):
            there = _installed(module)
            missing = f"PILOTHOUSE_{setting.upper()} is set: install {file}"
            yield Finding(module.partition(".")[0], there, "installed" if there else missing)


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False

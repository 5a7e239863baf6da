"""Starting the product: everything at once, or one process of it."""

import logging
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core import lifeline
from core.cli.base import app, panel, read_settings, say, stand_out
from core.errors import InvalidInputError, PilothouseError, UnavailableError
from core.settings import ROOT, Settings

if TYPE_CHECKING:  # heavy parts are imported where they are used: the api should start at once
    from core.panel import Panel

_QUIET_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_MODEL_CATALOG_URI": "",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # ten processes that nothing here uses
}
_OPEN_FILES = 65_536


@app.command()
def up(
    with_parent: Annotated[bool, typer.Option(help="End when the calling process ends.")] = False,
) -> None:
    """Set up what is missing, then run everything until Ctrl-C or SIGTERM."""
    from core.cli.setup import set_up

    if with_parent:
        lifeline.end_with_parent()
    settings = read_settings()
    check_ports(settings)
    set_up(panel())
    say(f"Starting; a line says when the panel at {settings.panel_address} is ready.")
    words = ["supervisord", "-n", "-c", str(_config())]
    as_root = ["-u", "root"] if os.getuid() == 0 else []  # said, it is no news at each start
    os.execve(_beside("supervisord"), words + as_root, _env(settings))


def _config() -> Path:
    return ROOT / "ops" / "supervisord.conf"


def _beside(program: str) -> str:
    return str(Path(sys.executable).parent / program)


def _env(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,  # noqa: TID251 (handed on to the children as it is)
        "PILOTHOUSE_RUN_DIR": str(settings.folder("run")),
        "PILOTHOUSE_RUN_KEY": _run_key(settings.folder("run") / "supervisor.key"),
        "PILOTHOUSE_BIN": _beside("pilothouse"),
    }


def _run_key(file: Path) -> str:
    """Return a fresh password for supervisord's socket; `file` keeps it for whoever asks there."""
    file.unlink(missing_ok=True)
    key = secrets.token_hex(16)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(key)
    return key


def check_ports(settings: Settings) -> None:
    """Raise `PilothouseError` naming the setting when a port that we need is taken."""
    for name in ("api", "panel", "mlflow"):
        port = getattr(settings, f"{name}_port")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise PilothouseError(
                    f"port {port} is taken; stop what uses it or set PILOTHOUSE_{name.upper()}_PORT"
                ) from error


@app.command()
def serve(
    process: Annotated[str, typer.Argument(help="api, panel, worker, shipper or mlflow")],
) -> None:
    """Run one process of the product until SIGTERM."""
    serving = {
        "api": _api,
        "panel": _panel,
        "worker": _worker,
        "shipper": _shipper,
        "mlflow": _mlflow,
    }
    if process not in serving:
        raise InvalidInputError(f"there is no process {process}; one of {', '.join(serving)}")
    lifeline.end_with_parent()
    serving[process](read_settings())


def _api(settings: Settings) -> None:
    _open_many_files()
    _become(
        ["uvicorn", "api.main:create", "--factory", "--host", settings.host]
        + ["--port", str(settings.api_port), "--workers", str(settings.api_workers)]
        + ["--loop", "uvloop", "--http", "api.protocol:Protocol", "--ws", "none"]
        + ["--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "20"]
        + ["--timeout-worker-healthcheck", "30"]  # a slow start is no reason to begin again
    )


def _open_many_files() -> None:
    """Let a process have as many connections as the system allows: each one is an open file."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(most, _OPEN_FILES)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _panel(settings: Settings) -> None:
    from core import logs

    logs.start("panel", settings)
    logging.getLogger("panel").info("the panel starts at %s", settings.panel_address)
    _become(
        ["streamlit", "run", str(ROOT / "app" / "main.py"), "--server.headless", "true"]
        + ["--server.address", settings.host, "--server.port", str(settings.panel_port)]
        + ["--logger.hideWelcomeMessage", "true"]
    )


def _become(module: list[str]) -> None:
    os.execv(sys.executable, [sys.executable, "-m", *module])


def _worker(settings: Settings) -> None:
    from core import logs, worker

    logs.start("worker", settings)
    built, stop = panel(), _stop_on_signal()
    _keep_alive(built, "worker", stop)
    worker.run(built, stop)


def _shipper(settings: Settings) -> None:
    from core import logs
    from core.serving import shipper

    logs.start("shipper", settings)
    built, stop = panel(), _stop_on_signal()
    _keep_alive(built, "shipper", stop)
    shipper.run(built.db, built.settings, stop)


def _keep_alive(built: "Panel", name: str, stop: threading.Event) -> None:
    """Say every few seconds that this process lives, for `pilothouse alive` and the panel."""
    from core import alive, heartbeat

    def beat() -> None:
        begun, folder = built.db.clock(), built.settings.folder("run")
        while True:
            with suppress(UnavailableError, OSError):  # the next beat tries again
                heartbeat.beat(built.db, _on_this_host(name), begun)
                alive.stamp(folder, name)
            if stop.wait(heartbeat.SECONDS):
                return

    threading.Thread(target=beat, daemon=True, name="heartbeat").start()


def _on_this_host(name: str) -> str:
    return f"{name}@{socket.gethostname()}"


@app.command()
def alive(what: Annotated[str, typer.Argument(help="worker, shipper, or a URL")]) -> None:
    """Exit with 0 when a process of this host lives: for health checks of containers."""
    from core import alive, heartbeat

    if what.startswith("http"):
        if trouble := alive.trouble(what):
            raise UnavailableError(trouble)
        return
    if not heartbeat.lives(panel().db, _on_this_host(what)):
        raise UnavailableError(f"{what} has not been heard of for a while")


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _mlflow(settings: Settings) -> None:
    """Run MLflow's server, its lines as JSON like everybody's; an outside server needs none."""
    from core import logs

    logs.start("mlflow", settings)
    log = logging.getLogger("mlflow")
    stop = _stop_on_signal()
    if settings.tracking_uri.startswith("http"):
        log.info("runs are kept by the MLflow server that is set; none is started here")
        stop.wait()
        return
    group = settings.folder("run") / "mlflow.group"
    _end_leftover(group, log)
    server = _start_mlflow(settings)
    group.write_text(str(server.pid))
    threading.Thread(target=_relay, args=(server, log), daemon=True).start()
    while server.poll() is None and not stop.wait(0.5):
        pass
    _end_group(server.pid)
    if not stop.is_set():
        sys.exit(server.wait(25) or 1)  # it ended by itself: that is a fault, whatever it says


def _start_mlflow(settings: Settings) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 (our own interpreter and fixed arguments)
        [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
        + ["--host", settings.host, "--port", str(settings.mlflow_port)]
        + ["--backend-store-uri", settings.tracking_uri]
        + ["--artifacts-destination", str(settings.folder("mlartifacts"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **_QUIET_MLFLOW},  # noqa: TID251 (handed on as it is)
        start_new_session=True,
    )


def _end_leftover(group: Path, log: logging.Logger) -> None:
    """End the servers of a predecessor that was killed and could not end them itself."""
    if group.exists() and _members(pid := int(group.read_text())):
        log.warning("an MLflow server was left behind (process group %d); it is ended", pid)
        _end_group(pid)


def _members(group: int) -> list[int]:
    """Return the processes of a group that run MLflow (a number may have been given anew)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):  # it ended while we looked
            if os.getpgid(int(folder.name)) == group:
                found += [int(folder.name)] * ("mlflow" in (folder / "cmdline").read_text())
    return found


def _end_group(group: int, *, seconds: float = 20) -> None:
    """Send SIGTERM to a process group, wait for its end, and kill what is left of it."""
    end = time.monotonic() + seconds
    number = signal.SIGTERM
    while _members(group):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        number = signal.SIGTERM if time.monotonic() < end else signal.SIGKILL
        time.sleep(0.3)


def _relay(server: "subprocess.Popen[str]", log: logging.Logger) -> None:
    for line in server.stdout or ():
        log.info(line.rstrip())


@app.command()
def ready() -> None:
    """Wait until panel and api answer, and a while for MLflow, then print where to go."""
    settings = read_settings()
    api = f"http://{settings.host}:{settings.api_port}"
    for what, url in (
        ("panel", f"http://{settings.host}:{settings.panel_port}/_stcore/health"),
        ("api", f"{api}/health/ready"),
    ):
        _wait_for(what, url)
    places = f"panel {settings.panel_address} · REST {api}/docs · MLflow {_mlflow_place(settings)}"
    stand_out(f"Pilothouse is ready: {places}")


def _mlflow_place(settings: Settings) -> str:
    """Return where MLflow is; nothing else waits for it, so it may still be starting."""
    if settings.tracking_uri.startswith("http"):
        return "on the server that is set"
    place = f"http://{settings.host}:{settings.mlflow_port}"
    try:
        _wait_for("MLflow", f"{place}/health", seconds=20)
    except PilothouseError:
        return f"{place} (still starting)"
    return place


def _wait_for(what: str, url: str, *, seconds: float = 120) -> None:
    import httpx

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(url, timeout=2, trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise PilothouseError(f"the {what} does not answer at {url}; see the logs")

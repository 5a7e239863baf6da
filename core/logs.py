"""Structured logs: one JSON object a line, to the terminal and to `NAME.log`."""

import logging
import logging.handlers
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import structlog

from core.settings import Settings

_MEETS_PEOPLE = {"api", "shipper"}
_MOST_FRAMES = 200
_CHATTY = (
    *("httpx", "httpx2", "httpcore", "apscheduler", "alembic", "matplotlib", "urllib3"),
    *("sqlalchemy", "python_multipart"),  # below WARNING these quote rows and bodies
)
request_id: ContextVar[bytes] = ContextVar("request_id", default=b"")
"""The request that this task answers; every log line of it names it."""


@contextmanager
def naming(request: bytes) -> Iterator[None]:
    """Let log lines name a request; b"" leaves the name that they have."""
    before = request_id.set(request or request_id.get())
    try:
        yield
    finally:
        request_id.reset(before)


def _trace_without_words(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Say where it broke and with which errors, but not their words: a library quotes its input."""
    given = event.pop("exc_info", None)
    fault = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    return {**event, "exception": "".join(_frames(fault))} if fault else event


def _frames(fault: BaseException | None) -> list[str]:
    lines: list[str] = []
    while fault and len(lines) < _MOST_FRAMES:
        lines += [f"{type(fault).__qualname__}\n", *traceback.format_tb(fault.__traceback__)]
        fault = fault.__cause__ or fault.__context__
    return lines


def _named(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    name = request_id.get()
    return {**event, "request_id": name.decode()} if name else event


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    _named,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.ExtraAdder(),
]


def start(name: str, settings: Settings) -> None:
    """Send every log record of this process to the terminal and to `{logs}/{name}.log`.

    A log folder that cannot be written leaves the terminal, and a line that says so.
    """
    trace: Any = structlog.processors.format_exc_info
    if name in _MEETS_PEOPLE:
        trace = _trace_without_words
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            trace,
            _process(name),
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    problem = ""
    try:
        settings.logs.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(
                settings.logs / f"{name}.log", maxBytes=20_000_000, backupCount=5, delay=True
            )
        )
    except OSError as error:
        problem = f"no log file: {error}"
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.raiseExceptions = name not in _MEETS_PEOPLE  # a full disk must not bring it all out
    logging.basicConfig(level=settings.log_level, handlers=handlers, force=True)
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access", "streamlit", "mlflow"):
        logger = logging.getLogger(own)
        logger.handlers.clear()
        logger.propagate = True
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    if problem:
        logging.getLogger("logs").warning(problem)


def _uncaught(kind: type[BaseException], fault: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("uncaught").critical("%s", kind.__name__, exc_info=(kind, fault, trace))


def _uncaught_in_thread(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_value is not None:
        _uncaught(fault.exc_type, fault.exc_value, fault.exc_traceback)


def _process(name: str) -> Any:  # noqa: ANN401 (a structlog processor)
    def add(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        return {"process": name, **event}

    return add

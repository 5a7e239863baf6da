"""What a log line carries, and what it never does."""

import json
import logging
import sys
import threading

import pytest

from core import logs
from core.settings import Settings


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Start the log of a process; return a function that reads the file's lines."""
    settings, root = Settings(_env_file=None, env="test", home=tmp_path), logging.getLogger()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    kept = root.handlers[:], root.level

    def started(name):
        logs.start(name, settings)
        path = settings.logs / f"{name}.log"
        return lambda: [json.loads(line) for line in path.read_text().splitlines()]

    yield started
    for handler in root.handlers:
        handler.close()
    root.handlers[:], root.level = kept


def broken(words):
    try:
        try:
            float(words)
        except ValueError as error:
            raise RuntimeError(f"cannot use {words}") from error
    except RuntimeError:
        logging.getLogger("api").exception("version %s failed", "1.0.0")


def test_a_line_is_json_and_names_its_process_and_request(lines):
    read = lines("api")
    token = logs.request_id.set(b"order-17")
    logging.getLogger("api").warning("the log is %d %% full", 90)
    logs.request_id.reset(token)
    logging.getLogger("api").warning("later")
    named, unnamed = read()
    assert (named["process"], named["request_id"]) == ("api", "order-17")
    assert (named["event"], named["level"], named["logger"]) == (
        "the log is 90 % full",
        "warning",
        "api",
    )
    assert "request_id" not in unnamed


def test_a_trace_of_the_api_says_where_it_broke_but_not_the_words(lines):
    read = lines("api")
    broken("marker of a person")
    (line,) = read()
    assert "RuntimeError" in line["exception"]
    assert "ValueError" in line["exception"]
    assert "test_logs.py" in line["exception"]
    assert "marker" not in json.dumps(line)


def test_a_trace_of_the_worker_is_whole(lines):
    read = lines("worker")
    broken("a folder")
    assert "cannot use a folder" in read()[0]["exception"]

"""How an api process is set up before its first request."""

import gc
import sys

from api import main
from core import logs


def test_no_thread_keeps_an_answer_waiting_for_long(settings, monkeypatch):
    turns = []
    monkeypatch.setattr(main, "Settings", lambda: settings)
    monkeypatch.setattr(logs, "start", lambda *_: None)
    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(sys, "setswitchinterval", turns.append)
    main.create().state.service.close()
    assert turns == [main.TURN_SECONDS]

"""Our api without key check and without prediction log, for what these two cost."""

from typing import Any

from fastapi import FastAPI

from api import auth, main
from core.keys import Caller
from core.serving import predict
from core.serving import service as serving
from core.settings import Settings

_ANYBODY = Caller("bare", "bare", frozenset({"predict"}))


def create() -> FastAPI:
    """Serve as `api.main` does, but for the two."""
    service = serving.build(Settings())
    patched: Any = (auth, predict, service.spool)
    patched[0].admit = lambda *_, **__: _ANYBODY
    patched[1]._record = lambda *_: None
    patched[2].write = patched[2].append = lambda _: None
    return main.build(service)

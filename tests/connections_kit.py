"""A real server in a thread of this process, and raw sockets to it."""

import contextlib
import json
import socket
import threading
import time

import uvicorn

from api import main
from core import keys
from core.access import local
from core.clock import utc_now
from core.db import Database
from core.serving import service
from core.settings import Settings
from tests import serving_kit as kit

PATIENCE = 0.6
MOST = 260


class Server:
    """A server in a thread, with little patience."""

    def __init__(self, home):
        settings = Settings(
            _env_file=None, env="test", home=home, database_url=f"sqlite:///{home}/pilothouse.db",
            secret_key="only-for-tests-0123456789abcdefghij", client_seconds=PATIENCE,
            max_connections=MOST, max_concurrency=4,
        )  # fmt: skip
        self.db = Database(settings, utc_now)
        kit.apply_specs(self.db, local("tester"))
        kit.deploy(self.db, settings, "sms_spam", "1.0.0")
        _, self.key = keys.create(self.db, local("tester"), name="all", scopes=["predict", "read"])
        self.app = main.build(service.build(settings))
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = listening.getsockname()[1]
        config = uvicorn.Config(
            self.app, http="api.protocol:Protocol", loop="uvloop", ws="none", log_config=None
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listening],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def request(self, body=None, *, path="/predict", version="1.1", more=()):
        body = json.dumps({"message": "win a prize"}).encode() if body is None else body
        lines = [f"POST {path} HTTP/{version}", "Host: x", f"X-API-Key: {self.key}",
                 "Content-Type: application/json", *more]  # fmt: skip
        if not any(line.lower().startswith("transfer-encoding") for line in more):
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def end(self):
        self.server.should_exit = True
        self.thread.join(10)
        self.db.engine.dispose()


def read(connection):
    """Everything until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError):
        while more := connection.recv(65536):
            found += more
    return found


def answer(connection):
    """One answer as (status, body), of a connection that goes on."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += connection.recv(65536)
    head, _, body = found.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


def is_refused(raw, status, kind, words=""):
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split()[1] == str(status).encode()
    assert b"connection: close" in head.lower()
    assert json.loads(body)["type"] == f"/problems/{kind}"
    assert words in json.loads(body)["detail"]

"""A local HTTP server for tests: real sockets, scripted answers, every request kept."""

import json
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Received:
    path: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a caller that was killed
            super().handle_error(request, client_address)


class Receiver:
    """Answers every POST with what `answer(received)` returns: (status, headers, body).

    A function in its place is given the handler and writes whatever it likes.
    """

    def __init__(self, answer=None):
        self.received = []
        self.answer = answer or (lambda received: (200, {}, b"ok"))
        self.stopping = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # callers hang up in the middle
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body)
                receiver.received.append(received)
                said = receiver.answer(received)
                if callable(said):
                    self.close_connection = True
                    with suppress(OSError):  # the caller may have hung up
                        said(self)
                    return
                status, headers, body = said
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with suppress(BrokenPipeError):  # the caller may have hung up
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler

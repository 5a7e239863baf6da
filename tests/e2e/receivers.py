"""Local servers in the place of Slack, a mail server and somebody's webhook."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller


class Posts:
    """An HTTP server that keeps what is posted to it and answers "ok", as Slack does."""

    def __init__(self) -> None:
        self.received = received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path, dict(self.headers), json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def to(self, path: str) -> list:
        return [post for post in self.received if post[0] == path]

    def close(self) -> None:
        self.server.shutdown()


class Mails:
    """A mail server that keeps what it gets."""

    def __init__(self, port: int) -> None:
        self.received = received = []

        class Handler:
            async def handle_DATA(self, _server, _session, envelope):
                received.append(envelope.content.decode())
                return "250 kept"

        self.controller = Controller(Handler(), hostname="127.0.0.1", port=port)
        self.controller.start()
        self.port = port

    def close(self) -> None:
        self.controller.stop()

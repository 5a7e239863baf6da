"""What a client may do to a connection: uvicorn's protocol with patience that ends.

uvicorn waits for ever for the rest of a request that has begun. Here the headers must arrive within
`client_seconds`, and so must the body, which gets more time the more of it has come (as with
`MinRate` of Apache's mod_reqtimeout); of one that is answered while it comes only a pause may not
be longer. A head has a bound in bytes, and a process one in
connections: beyond it the one that has kept us waiting longest makes room.
"""

import sys
from asyncio import TimerHandle, Transport
from collections.abc import Callable, Sequence
from functools import cache
from http import HTTPStatus
from typing import Any

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api import auth, errors, fast, heads
from api.fast import Reply, Whole
from api.heads import SMALL_BYTES, Head, Known
from core.keys import Caller
from core.settings import Settings

DOORS = "doors"
HEAD_BYTES = 32 << 10
BODY_BYTES_PER_SECOND = 16 << 10  # a body that comes faster has all the time it needs


AtOnce = Callable[[Sequence[Whole]], list[Reply | Caller | None]]


class Doors:
    """What the connections of one process share: their bounds, their turn, who keeps us waiting.

    A turn is what came in one round of the event loop with a head that is known. It is answered
    together when the round ends: one write to the log, and what many share is done once.
    """

    def __init__(
        self,
        settings: Settings,
        refused: Callable[[int], None],
        at_once: AtOnce | None = None,
    ) -> None:
        self.at_once = at_once  # answers small predictions without a task of their own
        self.refused = refused  # is told the status of what no application sees
        self.patience = settings.client_seconds
        self.most = settings.max_connections
        self.waiting: dict[Protocol, None] = {}  # the longest first
        self._turn: list[tuple[Protocol, Whole, bytes]] = []
        self._given: Sequence[tuple[bytes, bytes]] = ()
        self._starts: dict[int, bytes] = {}

    def ask(self, who: "Protocol", whole: Whole, data: bytes) -> None:
        """Let a request be answered in this turn; `data` is what came, in case it needs parsing."""
        if not self._turn:
            who.loop.call_soon(self.answer_all)
        self._turn.append((who, whole, data))

    def answer_all(self) -> None:
        """Answer all who asked in this turn."""
        turn, self._turn = self._turn, []
        if turn and self.at_once is not None:
            replies = self.at_once([whole for _, whole, _ in turn])
            for (who, _, data), reply in zip(turn, replies, strict=True):
                who.take(reply, data)

    def start_of(self, status: int, given: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Return how an answer begins: the status and the server's own headers.

        uvicorn makes new ones each second, for the date.
        """
        if given is not self._given:
            self._given, self._starts = given, {}
        if status not in self._starts:
            lines = (b"%b: %b\r\n" % one for one in given)
            self._starts[status] = b"".join((STATUS_LINE[status], *lines))
        return self._starts[status]


class Protocol(HttpToolsProtocol):
    """One connection. `app_state` holds the `Doors`, from the lifespan of the application."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (as uvicorn gives them)
        super().__init__(*args, **kwargs)
        self._doors: Doors = self.app_state[DOORS]
        self.access_log = False  # a line per request costs four times the answer; metrics count
        self._since: float | None = None  # since when the client is to send something
        self._in_head = True
        self._chunk = self._head = self._spare = self._body = 0
        self._refused = False
        self._unsent = 0
        self._small: Head | None = None  # of a small prediction
        self._small_body = b""
        self._known: Known | None = None  # the head that this client sends again and again
        self._learned = False
        self._first = b""  # a read that begins with a request
        self._admitted: Caller | None = None  # who sent a known head, where that did not suffice
        self._remote = ""
        self._asks = False  # in this turn, with a known head
        self._idle: float | None = None  # since when, after an answer at once
        self._alarm: TimerHandle | None = None
        self._asked_anew: bytes | None = None  # the head of a request, without its Upgrade
        self._parsed = 0  # bytes of a read up to the end of such a head

    # The connection

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection on, if need be in place of one that only waits."""
        super().connection_made(transport)
        self._remote = self.client[0] if self.client else ""
        doors = self._doors
        doors.answer_all()  # who was answered may make room
        if len(self.connections) > doors.most and not self._make_room():
            self._refuse(503)
            return
        self._since = self.loop.time()
        doors.waiting[self] = None
        self._alarm = self.loop.call_later(doors.patience, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        self._doors.waiting.pop(self, None)
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """End the connection as soon as what was asked is answered."""
        self._doors.answer_all()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Read what came, and note whether something is still to come."""
        if self._asks:
            self._doors.answer_all()  # what came first is answered first
        if self._refused or self._is_known(data):
            return
        self._first = data if self._since is None or not self._chunk else b""
        if self._since is None:
            self._since = self.loop.time()
        self._chunk = len(data)
        if self._in_head:
            self._head += len(data)
        self._parse(data)
        self._first = b""
        if self._small is not None and not self._refused:
            self._take_the_longer_way(None)  # the rest is to come: first it is asked who sends it
        if self._in_head and self._head > HEAD_BYTES:
            self._refuse(431)
        elif self._since is None:
            self._doors.waiting.pop(self, None)
        else:
            self._doors.waiting.setdefault(self)

    def _parse(self, data: bytes) -> None:
        rest = memoryview(data)
        super().data_received(data)
        while self._asked_anew is not None and not self._refused:
            head, self._asked_anew = self._asked_anew, None
            rest = rest[self._parsed :]
            self.parser = HttpRequestParser(self)
            super().data_received(head)
            super().data_received(rest)  # type: ignore[arg-type]  # the parser reads any buffer

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP with a problem, like every other error."""
        self._refuse(400)

    # One request, as the parser tells it

    def on_message_begin(self) -> None:
        """Begin to wait for a head, also for one that stands behind another request."""
        self._since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Measure the head, and give the body its time."""
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._asked_anew = self._head_without_upgrade()
            return
        self._in_head, self._body = False, 0
        if self._head + self._spare > HEAD_BYTES and self._head_bytes() > HEAD_BYTES:
            self._refuse(431)
            return
        self._since = self.loop.time()
        self._small = self._if_small()
        if self._small is None:
            self._idle = None
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._body += len(body)
        if self._small is not None:
            self._small_body += body
        elif not self._refused:
            super().on_body(body)
            if self.cycle.response_started and not self.cycle.response_complete:
                self._since, self._body = self.loop.time(), 0  # answers go out: only pauses count

    def on_message_complete(self) -> None:
        """Stop to wait for the client; what is left of this read may belong to the next head."""
        if self._asked_anew is not None:
            return
        self._since, self._in_head, self._head, self._spare = None, True, 0, self._chunk
        if self._small is not None:
            self._answer_small(self._small)
        elif not self._refused:
            super().on_message_complete()

    # A client that would rather speak another protocol: the offer is ignored (RFC 9110, 7.8). The
    # parser takes the bytes behind such a head for that protocol's, and the body for a request.

    def _should_upgrade(self) -> bool:
        return False

    def _unsupported_upgrade_warning(self) -> None:
        end = sys.exception()
        if self._asked_anew is None or end is None:
            self._refuse(400)
        else:
            self._parsed = end.args[0]

    def _head_without_upgrade(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    # Small predictions

    def _if_small(self) -> Head | None:
        """Return the head of a prediction that may be answered as soon as its body is there."""
        if self.url != fast.RAW_PATH or self.parser.get_method() != b"POST":
            return None
        parser = self.parser
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return None
        if self._doors.at_once is None or not self._is_free() or self.expect_100_continue:
            return None
        headers = fast.first_of_each(self.headers)
        length = headers.get(b"content-length")
        if length is None or len(length) > 6 or int(length) > SMALL_BYTES:
            return None
        return None if b"x-forwarded-for" in headers else heads.read(headers)

    def _is_free(self) -> bool:
        """Say whether the next answer may be written now."""
        before = self.cycle is None or self.cycle.response_complete
        return before and not self.flow.write_paused

    def _is_known(self, data: bytes) -> bool:
        """Ask what needs no parsing, because its head came before. Return whether it was so."""
        known = self._known
        if known is None or self._since is not None or not self._is_free():
            return False
        body = known.body_of(data)
        if body is None:
            return False
        self._unset_keepalive_if_required()
        self._asks, self._idle = True, None
        self._doors.ask(self, (known.head, body, self._remote), data)
        return True

    def take(self, reply: Reply | Caller | None, data: bytes) -> None:
        """Pass on what came of `data`; where it needs parsing, it is not counted again."""
        self._asks = False
        if self.transport.is_closing():
            return
        if isinstance(reply, tuple):
            self._write(reply)
        else:
            self._known, self._admitted = None, reply
            self.data_received(data)

    def _answer_small(self, head: Head) -> None:
        """Answer a prediction that came whole, and learn how its client begins."""
        reply: Reply | Caller | None = self._admitted
        self._admitted, at_once = None, self._doors.at_once
        if reply is None and at_once is not None:
            (reply,) = at_once([(head, self._small_body, self._remote)])
        if not isinstance(reply, tuple):
            self._take_the_longer_way(reply)
            super().on_message_complete()
            return
        self._write(reply)
        self._small, self._small_body = None, b""
        if not self._learned:
            self._learned = True
            self._known = heads.known(head, self._first, lines=len(self.headers))

    def _write(self, reply: Reply) -> None:
        state = self.server_state
        start = self._doors.start_of(reply[0], state.default_headers)
        self.transport.write(start + reply[1])
        state.total_requests += 1
        self._idle = self.loop.time()

    def _take_the_longer_way(self, caller: Caller | None) -> None:
        """Do what was put off until the body was there, or turned out to come later."""
        body, self._small, self._small_body = self._small_body, None, b""
        self._idle = None
        if caller is not None:
            scope: Any = self.scope
            scope[auth.ADMITTED] = caller
        super().on_headers_complete()
        super().on_body(body)

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    # The end of patience

    def _look(self) -> None:
        """Look whether the client is too slow, and when to look again."""
        now, left = self.loop.time(), self._doors.patience
        if self._does_not_read():
            self.transport.abort()
            return
        if self._since is not None and (self.flow.read_paused or self._is_answering()):
            self._since = now  # it is us who let it wait
        elif self._since is not None:
            left += self._since + self._body / BODY_BYTES_PER_SECOND - now
        elif self._idle is not None:
            left = min(left, self.timeout_keep_alive)
            if now - self._idle >= self.timeout_keep_alive:
                self.transport.close()
        if left <= 0 and not self._refused:
            self._refuse(408)
            left = self._doors.patience
        self._alarm = self.loop.call_later(max(left, 0.001), self._look)

    def _does_not_read(self) -> bool:
        """Say whether nothing of an answer left since the last look, although some waits."""
        unsent, before = self.transport.get_write_buffer_size(), self._unsent
        self._unsent = unsent
        return bool(unsent) and unsent == before

    def _make_room(self) -> bool:
        """Close the connection that keeps us waiting longest, else one that is kept for later.

        Return whether there was one.
        """
        slow = next((one for one in self._doors.waiting if not one._is_answering()), None)
        if slow is not None:
            slow._refuse(408)
            return True
        ours = (one for one in self.connections if isinstance(one, Protocol))
        kept = next((one for one in ours if one._is_kept()), None)
        if kept is not None:
            kept.transport.close()
        return kept is not None

    def _is_kept(self) -> bool:
        """Say whether all that was asked here is answered, and nothing more was asked yet."""
        done = self.cycle is None or self.cycle.response_complete
        return done and self._since is None and not self.transport.is_closing()

    def _is_answering(self) -> bool:
        """Say whether a request that came whole is in work; another one may stand behind it."""
        cycle = self.cycle
        return cycle is not None and not (cycle.response_complete or cycle.more_body)

    def _refuse(self, status: int) -> None:
        """Say why, unless an answer has begun or nobody asked yet, and close."""
        self._refused = True
        self._doors.waiting.pop(self, None)
        if not self.transport.is_closing():
            if self._may_say_why(status):
                self._doors.refused(status)
                self.transport.write(_refusal(status))
            self.transport.close()

    def _may_say_why(self, status: int) -> bool:
        asked = self._chunk > 0 or status == 503
        before = self.cycle
        if before is None or not before.response_started:
            return asked
        return before.response_complete and self._in_head


@cache
def _refusal(status: int) -> bytes:
    """Return a whole answer that ends a connection."""
    words = errors.HEAD_TOO_LARGE.format(HEAD_BYTES) if status == 431 else None
    response = errors.refusal(status, {"Retry-After": "1"} if status == 503 else None, words)
    head = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(), b"connection: close"]
    head += [name + b": " + value for name, value in response.raw_headers]
    return b"\r\n".join([*head, b"", bytes(response.body)])

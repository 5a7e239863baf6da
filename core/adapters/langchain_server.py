"""The chat model of the settings behind a deadline: however its server behaves, it ends in time.

The library's own time-out counts from byte to byte, so a server that drips is waited for without
end; it follows redirects, reads answers of any size and sleeps as long as `Retry-After` says.
"""

import math
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core.clock import monotonic
from core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2
    from langchain_core.language_models import BaseChatModel

LONGEST_ANSWER = 1 << 20  # bytes
RETRIES = 1
WORTH_A_RETRY = 1.0  # seconds that must be left
SHORTEST_SECRET = 8
"""Shorter keys are placeholders of local servers ("none"): to hide them would garble words."""
_IN_THE_WAY = ("content-encoding", "content-length", "transfer-encoding", "retry-after-ms")


class Deadline:
    """How long a conversation may go on, and how many requests it has sent."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.sent = 0
        self._ends = math.inf

    def start(self) -> None:
        """Begin to count: loading the libraries is not the server's fault."""
        self._ends = monotonic() + self.seconds

    def left(self) -> float:
        """Return the seconds that are left; none before nothing."""
        return min(self.seconds, self._ends - monotonic())


def chat_model(settings: Settings, deadline: Deadline) -> "BaseChatModel":
    """Return the model that the settings name; nothing is sent yet."""
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=settings.openai_model,
        api_key=settings.openai_api_key,
        base_url=settings.openai_base_url or None,
        timeout=settings.openai_timeout_seconds,
        max_retries=RETRIES,
        use_responses_api=False,
        http_client=_client_class()(deadline, Secrets(settings)),
    )


class Secrets:
    """What no record may hold: the key, and a password in the server's address."""

    def __init__(self, settings: Settings) -> None:
        key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
        password = urlsplit(settings.openai_base_url).password or ""
        self._values = [one for one in (key, password) if len(one) >= SHORTEST_SECRET]

    def hidden(self, text: str) -> str:
        """Return the text without the secrets that a server may echo."""
        for value in self._values:
            text = text.replace(value, "[secret]")
        return text

    def out_of(self, response: "httpx2.Response", body: bytes) -> bytes:
        """Return a body without the secrets that a server echoes in an error.

        Raises: OpenAIError (they are in an answer).
        """
        from openai import OpenAIError

        for value in self._values:
            if response.is_success and value.encode() in body:
                raise OpenAIError("its answer held the key of the model's server")
            body = body.replace(value.encode(), b"[secret]")
        return body

    def within(self, text: str) -> bool:
        """Say whether a secret is in a text."""
        return any(value in text for value in self._values)


@cache
def _client_class() -> "type[Any]":
    """Return an HTTP client that keeps to a deadline and a size, and follows no redirect."""
    import httpx2
    from openai import DefaultHttpxClient, OpenAIError

    class BoundedClient(DefaultHttpxClient):
        """Reads each answer whole, while there is time for it."""

        def __init__(self, deadline: Deadline, secrets: Secrets) -> None:
            super().__init__(follow_redirects=False, timeout=deadline.seconds)
            self._deadline, self._secrets = deadline, secrets

        def send(
            self,
            request: httpx2.Request,
            *,
            stream: bool = False,
            **options: Any,  # noqa: ANN401
        ) -> httpx2.Response:
            left = self._deadline.left()
            if left <= 0:
                raise httpx2.ReadTimeout("no time is left", request=request)
            limits = dict.fromkeys(("connect", "read", "write", "pool"), left)
            request.extensions = {**request.extensions, "timeout": limits}
            request.headers["accept-encoding"] = "identity"
            self._deadline.sent += 1
            try:
                response, body = self._whole(request, options)
            except httpx2.TimeoutException as late:
                if self._deadline.left() > WORTH_A_RETRY:
                    raise
                raise OpenAIError(f"no answer within {self._deadline.seconds:g} s") from late
            headers = _headers(response.headers, self._deadline.left())
            return httpx2.Response(
                response.status_code, headers=headers, content=body, request=request
            )

        def _whole(
            self, request: httpx2.Request, options: dict[str, Any]
        ) -> tuple[httpx2.Response, bytes]:
            response = super().send(request, stream=True, **options)
            try:
                body = _read(response, self._deadline)
            finally:
                response.close()
            return response, self._secrets.out_of(response, body)

    return BoundedClient


def _read(response: "httpx2.Response", deadline: Deadline) -> bytes:
    """Return the body of an answer; raises where it is none, too long, or too slow."""
    from httpx2 import ReadTimeout
    from openai import OpenAIError

    kind = response.headers.get("content-type", "")
    if response.is_success and "json" not in kind:
        raise OpenAIError(f"the server answered '{kind[:60]}' instead of JSON")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise OpenAIError("the server packed its answer without being asked to")
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise OpenAIError(f"the server's answer is longer than {LONGEST_ANSWER} bytes")
        if deadline.left() <= 0:
            raise ReadTimeout("the answer did not end in time", request=response.request)
    return bytes(body)


def _headers(given: "Mapping[str, str]", left: float) -> dict[str, str]:
    """Return the headers of an answer that was read; a wait beyond the deadline is no retry."""
    headers = {k: v for k, v in given.items() if k.lower() not in _IN_THE_WAY}
    if (wait := given.get("retry-after")) is not None:
        try:
            worth_it = float(wait) < left
        except ValueError:  # a date, or nonsense
            worth_it = False
        headers["x-should-retry"] = "true" if worth_it else "false"
    return headers

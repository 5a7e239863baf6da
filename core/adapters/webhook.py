"""Messages to a webhook, signed as Standard Webhooks prescribes (standardwebhooks.com).

The name is resolved once, every address is checked, and the connection goes to the checked one:
a name that answers differently the second time reaches nothing inside.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from core.adapters.channels import TIMEOUT, link
from core.clock import utc_now
from core.errors import UnavailableError
from core.settings import Settings
from core.tables.operational import Delivery

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class WebhookSender:
    """Posts JSON; follows no redirect, uses no proxy."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, delivery: Delivery) -> None:
        """Send one message. Raises: UnavailableError (with the answer, never the full address)."""
        url = self._settings.monitoring_webhook_url
        parts = split(url.get_secret_value() if url else "")
        status = post(self._settings, parts, delivery.id, self._body(delivery))
        if not 200 <= status < 300:
            raise UnavailableError(f"{parts.hostname} answered {status}")

    def _body(self, delivery: Delivery) -> bytes:
        told = {
            "type": "pilothouse.message",
            "timestamp": delivery.created_at.isoformat(),
            "data": {
                "subject": delivery.subject,
                **delivery.payload,
                "link": link(delivery, self._settings),
            },
        }
        return json.dumps(told, separators=(",", ":"), default=str).encode()


def post(
    settings: Settings,
    parts: SplitResult,
    message_id: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> int:
    """Post a signed body to the address that was checked, and return the status of the answer.

    Raises: UnavailableError (no answer; with the host, never the full address).
    """
    import httpx

    address = checked_address(parts, allow_private=settings.webhook_allow_private)
    host = parts.hostname or ""
    told = {**_signed(settings, message_id, body), **(headers or {})}
    try:
        with httpx.Client(timeout=timeout, trust_env=False, follow_redirects=False) as client:
            request = client.build_request(
                "POST",
                _to_address(parts, address),
                content=body,
                headers={**told, "host": parts.netloc.rpartition("@")[2]},
                extensions={"sni_hostname": host},
            )
            answer = client.send(request, stream=True)  # its words are not read: they may not end
            answer.close()
            return answer.status_code
    except httpx.HTTPError as fault:
        raise UnavailableError(f"{host} cannot be reached: {type(fault).__name__}") from fault


def _signed(settings: Settings, message_id: str, body: bytes) -> dict[str, str]:
    """Return the headers; the id stays the same over retries, the time does not."""
    stamp = str(int(utc_now().timestamp()))
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
    }
    secret = settings.webhook_secret
    if secret and secret.get_secret_value():
        key = secret_key(secret.get_secret_value())
        headers["webhook-signature"] = signature(key, message_id, stamp, body)
    return headers


def secret_key(secret: str) -> bytes:
    """Return the signing key: base64 behind ``whsec_``, or the text itself.

    >>> secret_key("whsec_YWJj"), secret_key("plain")
    (b'abc', b'plain')
    """
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"))
    return secret.encode()


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return ``v1,`` and the base64 of HMAC-SHA-256 over id, timestamp and body.

    >>> signature(b"k", "m", "1", b"{}")[:12]
    'v1,5HDAuTkTp'
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def split(url: str, setting: str = "MONITORING_WEBHOOK_URL") -> SplitResult:
    """Return the parts of a webhook's URL. Raises: UnavailableError (not http or https)."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise UnavailableError(f"{setting} must be an http or https address")
    return parts


def checked_address(parts: SplitResult, *, allow_private: bool) -> Address:
    """Resolve the host once and return an address that may be connected to.

    Raises: UnavailableError (unknown host, or any of its addresses is not a public one).
    """
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise UnavailableError(f"{host} is not known") from fault
    addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    if not addresses or not (allow_private or all(is_public(one) for one in addresses)):
        raise UnavailableError(
            f"{host} is inside a private network; PILOTHOUSE_WEBHOOK_ALLOW_PRIVATE=true allows it"
        )
    return addresses[0]


def is_public(address: Address) -> bool:
    """Say whether an address, and any IPv4 address inside it, belongs to the open internet.

    >>> [is_public(ipaddress.ip_address(a)) for a in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        if any(not is_public(inner) for inner in _embedded(address)):
            return False
        if address in _TRANSLATED:
            return True
    return address.is_global and not address.is_multicast


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address leads to: mapped, 6to4, Teredo, NAT64."""
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    number = int(address)
    if address in _TRANSLATED or number >> 32 == 0:  # NAT64, and the old "compatible" form
        inner.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return [one for one in inner if one is not None]


def _to_address(parts: SplitResult, address: Address) -> str:
    host = f"[{address}]" if address.version == 6 else str(address)
    port = f":{parts.port}" if parts.port else ""
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{host}{port}{parts.path or '/'}{query}"

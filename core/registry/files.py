"""One file that holds a version: its description and its model, signed; pure.

Layout: the magic line, 16 bytes that name the key, 32 bytes of HMAC-SHA-256 over all that follows,
8 bytes with the length of the description, the description (JSON), the model file.
"""

import hashlib
import hmac
import json
from typing import Any

from core.errors import ConflictError, InvalidInputError, TooLargeError

MAGIC = b"PILOTHOUSE VERSION 1\n"
PURPOSE = "version file"
MOST_BYTES = 200 * 2**20
_NAME, _MAC, _LENGTH = 16, 32, 8
_HEAD = len(MAGIC) + _NAME + _MAC


def seal(description: dict[str, Any], artifact: bytes, key: bytes) -> bytes:
    """Return the file of a version. Raises: TooLargeError.

    >>> opened = unseal(seal({"model": "spam"}, b"model", b"k" * 32), b"k" * 32)
    >>> opened == ({"model": "spam"}, b"model")
    True
    """
    text = json.dumps(description, sort_keys=True).encode()
    body = len(text).to_bytes(_LENGTH) + text + artifact
    _check_size(len(body) + _HEAD)
    return MAGIC + _name_of(key) + _mac(key, body) + body


def unseal(content: bytes, key: bytes) -> tuple[dict[str, Any], bytes]:
    """Return (description, model file) of what `seal` made; nothing is read before it is verified.

    Raises: TooLargeError; InvalidInputError (no such file); ConflictError (another installation's
    key, or changed or cut after it was written).
    """
    _check_size(len(content))
    if not content.startswith(MAGIC) or len(content) < _HEAD + _LENGTH:
        raise InvalidInputError("this is no version file: export one on the page Models")
    name, mac = content[len(MAGIC) :][:_NAME], content[_HEAD - _MAC : _HEAD]
    body = content[_HEAD:]
    if not hmac.compare_digest(name, _name_of(key)):
        raise ConflictError(
            "this version file was signed by another installation; both need the same"
            " PILOTHOUSE_SECRET_KEY"
        )
    if not hmac.compare_digest(mac, _mac(key, body)):
        raise ConflictError("this version file was changed or cut after it was written")
    start = _LENGTH + int.from_bytes(body[:_LENGTH])
    return json.loads(body[_LENGTH:start]), body[start:]


def _check_size(size: int) -> None:
    if size > MOST_BYTES:
        raise TooLargeError(f"a version file has at most {MOST_BYTES // 2**20} MB")


def _name_of(key: bytes) -> bytes:
    """Name a key without telling it, so that a foreign one and a changed file read differently."""
    return hashlib.sha256(b"name of " + key).digest()[:_NAME]


def _mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, MAGIC + body, hashlib.sha256).digest()

"""Asking a process by its URL whether it is well, at the cost of Python's own start.

Health checks of containers ask every few seconds: nothing of the product may be imported for it.
"""

import http.client
from urllib.parse import urlsplit

SECONDS = 5.0


def trouble(url: str) -> str:
    """Say why the process behind a URL is not well; nothing when it is.

    >>> trouble("http://127.0.0.1:9/health")
    'no answer from http://127.0.0.1:9/health'
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=SECONDS)  # no proxy, no redirect
    try:
        connection.request("GET", parts.path or "/")
        status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException):
        return f"no answer from {url}"
    finally:
        connection.close()
    return "" if 200 <= status < 300 else f"{url} is not well"

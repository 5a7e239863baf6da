"""How often each caller may ask: one token bucket each, in memory, O(1).

With several api processes each has its share of a limit, since they share no memory.
"""

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

from core.clock import monotonic
from core.errors import PilothouseError, TooLargeError, TooManyRequestsError

_MINUTE = 60.0
_MOST = 10_000  # buckets; the least recently used one is forgotten, that is: full again
_FAILURES = 30  # refused credentials of one address in a minute
_TRIES = 30  # passwords given from one address in a minute, right ones too: each costs much time
_ROUNDING = 1e-6


class Buckets:
    """Token buckets by name, each kept as the moment at which it is full again (GCRA).

    A bucket of `per_minute` tokens refills evenly, and holds one token at least.
    Source: ITU-T I.371, generic cell rate algorithm.
    """

    def __init__(self, clock: Callable[[], float] = monotonic, most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, name: str, per_minute: float, cost: int = 1) -> float:
        """Take `cost` tokens and return 0; or take none and return seconds until they are there."""
        each = _MINUTE / per_minute
        room = max(_MINUTE, each)
        now = self._clock()
        with self._lock:
            full_at = max(self._full_at.get(name, now), now) + cost * each
            wait = full_at - now - room
            if wait > _ROUNDING:
                return wait
            self._full_at[name] = full_at
            self._full_at.move_to_end(name)
            if len(self._full_at) > self._most:
                self._full_at.popitem(last=False)
        return 0.0

    def give_back(self, name: str, per_minute: float) -> None:
        """Put back one token that was taken for what is refused after all."""
        with self._lock:
            if name in self._full_at:
                self._full_at[name] -= _MINUTE / per_minute


class Rates:
    """The limits of one api process: per caller, and per address for refused credentials."""

    def __init__(
        self, per_minute: int, processes: int = 1, clock: Callable[[], float] = monotonic
    ) -> None:
        self._default = per_minute
        self._processes = processes
        self._callers = Buckets(clock)
        self._addresses = Buckets(clock)

    def spend(self, name: str, limit: int | None) -> None:
        """Count a request of a caller; `limit` a minute, None: the default, 0: no limit.

        Raises: TooManyRequestsError.
        """
        if per_minute := self._share(limit):
            self._take(name, per_minute, 1)

    def spend_batch(self, name: str, limit: int | None, items: int, *, paid: bool = False) -> None:
        """Count the items of a batch; `paid`: its request was counted and stands for one of them.

        A batch that is refused costs nothing, not even its request.

        Raises: TooManyRequestsError (until all fit); TooLargeError (more than a minute allows).
        """
        per_minute = self._share(limit)
        if not per_minute or items <= paid:
            return
        try:
            if items > max(per_minute, 1):
                raise TooLargeError(
                    f"at most {max(int(per_minute), 1):,} items at once fit the limit of this key"
                )
            self._take(name, per_minute, items - paid)
        except PilothouseError:
            if paid:
                self._callers.give_back(name, per_minute)
            raise

    def _share(self, limit: int | None) -> float:
        return (self._default if limit is None else limit) / self._processes

    def _take(self, name: str, per_minute: float, cost: int) -> None:
        if wait := self._callers.take(name, per_minute, cost):
            raise _too_often("this key has asked as often as it may in a minute", wait)

    def refused(self, address: str) -> None:
        """Count refused credentials of an address. Raises: TooManyRequestsError."""
        if wait := self._addresses.take("refused " + network(address), _FAILURES):
            raise _too_often("too many refused credentials came from this address", wait)

    def tried(self, address: str) -> None:
        """Count a name and password, before they are looked at. Raises: TooManyRequestsError."""
        if wait := self._addresses.take("tried " + network(address), _TRIES):
            raise _too_often("too many sign-ins were tried from this address", wait)


def network(address: str) -> str:
    """Return what stands for an address: of IPv6 the first 64 bits, which one customer has.

    >>> network("2001:db8::1"), network("192.0.2.7"), network("a test")
    ('2001:db8::/64', '192.0.2.7', 'a test')
    """
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def _too_often(what: str, wait: float) -> TooManyRequestsError:
    seconds = math.ceil(wait)
    return TooManyRequestsError(f"{what}; try again in {seconds} s", retry_after=seconds)

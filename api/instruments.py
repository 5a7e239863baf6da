"""What Prometheus reads; counting costs a request next to nothing, a scrape waits for nobody."""

import logging
import threading
from bisect import bisect_left
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from api.exposition import SECONDS, Exposition
from core.serving import board, stages, tally
from core.serving.service import Service
from core.serving.tally import Name, Tally

log = logging.getLogger("api")
_PUBLISH_SECONDS = 1.0


class Instruments:
    """The counters of one api process, and the page that adds up those of all workers."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.tally = Tally(_shared_folder(service))
        for stage, cells in service.stages.cells.items():
            self.tally.adopt(("stage", stage), cells)
        self._cells: dict[tuple[str, str, int], list[float]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="instruments", daemon=True)
        self._registry = CollectorRegistry()
        self._registry.register(Exposition(service, self._total))

    def start(self) -> None:
        """Show our counters to the other workers from now on."""
        self._thread.start()

    def close(self) -> None:
        """Leave the last counts for the other workers."""
        self._stop.set()
        self._publish()

    def request(self, endpoint: str, method: str, status: int, seconds: float, n: int = 1) -> None:
        """Count `n` requests; `endpoint` is a route's template, never what a client wrote."""
        cells = self._cells.get((endpoint, method, status))
        if cells is None:
            cells = self.tally.cells(("request", endpoint, method, str(status)), len(SECONDS) + 2)
            self._cells[endpoint, method, status] = cells
        cells[bisect_left(SECONDS, seconds)] += n
        cells[-1] += seconds * n

    def refused(self, status: int) -> None:
        """Count what was refused before it was a request that an application could see."""
        self.request("other", "OTHER", status, 0.0)

    def text(self) -> bytes:
        """Return everything in the Prometheus text format."""
        return generate_latest(self._registry)

    def _total(self) -> tally.Total:
        self._publish()  # first: what a scrape showed must be there when this process is killed
        return self.tally.total(self._levels())

    def _publish(self) -> None:
        service = self._service
        self.tally.adopt(("load_failures",), [service.loading.failures])
        self.tally.adopt(("shadow_dropped",), [service.shadows.dropped])
        try:
            self.tally.publish(self._levels())
        except OSError as error:
            log.warning("the other workers cannot see the counters of this one: %s", error)

    def _levels(self) -> dict[Name, float]:
        known = self._service.board
        held = {("held", *pair): 1.0 for pair in board.loaded(known)}
        return held | {("seq", name): float(one.seq) for name, one in known.served.items()}

    def _repeat(self) -> None:
        every = _PUBLISH_SECONDS if self.tally.folder else stages.MARK_SECONDS
        rounds = 0.0
        while not self._stop.wait(every):
            rounds += every
            if self.tally.folder:
                self._publish()
            if rounds >= stages.MARK_SECONDS:
                self._service.stages.mark()
                rounds = 0.0


def _shared_folder(service: Service) -> Path | None:
    settings = service.settings
    if settings.api_workers == 1:
        return None
    return tally.group_folder(settings.folder("run") / "metrics")

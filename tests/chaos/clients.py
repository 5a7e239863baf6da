"""Clients that ask at a set rate over connections that stay open, and remember every answer."""

import http.client
import json
import threading
import time
from collections import Counter

BODY = json.dumps({"message": "win a free prize"})


class Clients:
    """`with Clients(api, per_second=500) as clients:` asks until the end of the block."""

    def __init__(self, api, *, per_second, threads=8):
        self.answers, self.statuses, self.broken = {}, Counter(), []
        self._api, self._pause = api, threads / per_second
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        """Ask no more; answers on their way are still heard."""
        self._stop.set()

    def __exit__(self, *_):
        self.stop()
        for thread in self._threads:
            thread.join()

    @property
    def failed(self):
        """Requests without a good answer."""
        return len(self.broken) + sum(n for status, n in self.statuses.items() if status != 200)

    def _ask(self):
        link = http.client.HTTPConnection(self._api.url.removeprefix("http://"), timeout=30)
        headers = {**self._api.headers, "Content-Type": "application/json"}
        due = time.perf_counter()
        while not self._stop.is_set():
            try:
                link.request("POST", "/predict", BODY, headers)
                answer = link.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(error)
                link.close()
                continue
            self.statuses[answer.status] += 1
            if answer.status == 200:
                found = json.loads(content)
                self.answers[found["prediction_id"]] = found["model_version"]
            due = max(due + self._pause, time.perf_counter() - 1)
            time.sleep(max(0, due - time.perf_counter()))

"""The traffic of a drill: rows answered by the version itself, logged as the service logs them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from core.automation.drill.changes import Changer
from core.automation.drill.kinds import Kind
from core.automation.drill.sandbox import Sandbox
from core.datasets import generator, schema
from core.ids import derived_id
from core.serving import records, storing
from core.serving.frames import Record
from core.serving.scorer import Input, Score
from core.specs.thresholds import Policy

SOURCE = "drill"
_FAST_MS, _SPREAD = 4.0, 0.4  # ordinary latencies: lognormal around 4 ms
_TOO_SLOW = 1.6  # times the critical latency


class Traffic:
    """Clients and, a check later, their labels: the same rows for the same seed."""

    def __init__(self, box: Sandbox, kind: Kind, *, size: float, seed: int) -> None:
        self._box, self._kind, self._size, self._seed = box, kind, size, seed
        self._changer = Changer(kind, box.spec, box.population, size=size, seed=seed)
        self._unlabelled: list[tuple[str, str]] = []
        self._batch = 0

    def send(self, n: int, *, over: timedelta, changed: bool) -> None:
        """Let `over` pass, in which `n` rows are answered; the labels of those before arrive."""
        box, began = self._box, self._box.clock()
        rows = self._rows(n)
        if changed:
            rows = self._changer.apply(rows, batch=self._batch)
        box.clock.forward(over)
        moments = [began + over * (place + 1) / (n + 1) for place in range(n)]
        answers, truths = self._answers(rows, moments, changed=changed)
        labels = [
            records.label(key, truth, source=SOURCE, at=box.clock())
            for key, truth in self._unlabelled
        ]
        with box.db.append() as session:
            storing.store(session, [*answers, *labels])
        self._unlabelled = truths
        self._batch += 1

    def _rows(self, n: int) -> pd.DataFrame:
        """Draw rows, each at most once in a batch while there are enough; or generate messages."""
        spec, seed = self._box.spec, [self._seed, 1, self._batch]
        chance = np.random.default_rng(seed)
        if self._box.generated and spec.input.text is not None:
            fresh = generator.messages(n, seed=int(chance.integers(2**31)))
            columns = {
                spec.input.text: [message.text for message in fresh],
                spec.target.column: [message.label for message in fresh],
            }
            return pd.DataFrame(columns)
        whole = self._box.population
        places = chance.choice(len(whole), size=n, replace=n > len(whole))
        return whole.iloc[places].reset_index(drop=True)

    def _answers(
        self, rows: pd.DataFrame, moments: Sequence[datetime], *, changed: bool
    ) -> tuple[list[Record], list[tuple[str, str]]]:
        scorer, spec = self._box.scorer, self._box.spec
        inputs = [scorer.check(one) for one in schema.sent(rows, spec)]
        scores, waits = scorer.score(inputs), self._latencies(len(rows), changed=changed)
        answers, truths = [], []
        for place, (given, score) in enumerate(zip(inputs, scores, strict=True)):
            key = derived_id(moments[place], SOURCE, str(self._seed), f"{self._batch}/{place}")
            answers.append(self._record(key, moments[place], given, score, float(waits[place])))
            truths.append((key, str(rows[spec.target.column].iloc[place])))
        return answers, truths

    def _latencies(self, n: int, *, changed: bool) -> Any:  # noqa: ANN401 (an array)
        chance = np.random.default_rng([self._seed, 2, self._batch])
        waits = _FAST_MS * chance.lognormal(0, _SPREAD, n)
        if changed and self._kind == "latency":
            policy = self._box.spec.policy
            limit = Policy.of(policy.accuracy_floor, policy.overrides).latency_critical_ms
            waits = np.where(chance.random(n) < self._size, _TOO_SLOW * limit, waits)
        return waits

    def _record(
        self,
        key: str,
        at: datetime,
        given: Input,
        score: Score,
        latency_ms: float,
    ) -> Record:
        row = {
            "at": records.moment(at),
            "id": key,
            "model": self._box.spec.name,
            "version": self._box.version,
            "variant": "control",
            "release_seq": 1,
            "is_shadow": False,
            "sample_key": records.sample_key(key),
            "input": {"message": given} if isinstance(given, str) else {"features": dict(given)},
            "label": score.label,
            "probability": score.probability,
            "latency_ms": latency_ms,
            "entity_id": None,
            "experiment": None,
            "key_id": SOURCE,
        }
        positive = score.label == self._box.spec.positive
        return {"kind": "prediction", "once": None, "positive": positive, "row": row}

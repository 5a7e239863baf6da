"""Simulated clients: they send a model's own kind of rows over REST, ordinary or drifted."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import httpx
import pandas as pd

from core import keys, registry, releases, specs
from core.access import Actor
from core.datasets import generator, versions
from core.errors import ConflictError, InvalidInputError, UnavailableError
from core.panel import Panel
from core.specs import ModelSpec
from core.tables.entities import DatasetVersion

CHUNK = 50
SHIFT = "shift"
"""The one way in which rows of numbers are made to drift: every number moves by a deviation."""


@dataclass(frozen=True)
class Row:
    """What a client sends, and what it will later report as true."""

    input: Mapping[str, Any]  # {"message": …} or {"features": {…}}
    label: str
    user: str


class Client:
    """A client application with a key of its own, which ends with it: after an hour at the latest.

    Use it as a context manager; what ended the key before leaves it ended.
    """

    def __init__(self, panel: Panel, actor: Actor, *, name: str) -> None:
        self._panel, self._actor = panel, actor
        row, secret = keys.create(
            panel.db,
            actor,
            name=name,
            scopes=["predict", "feedback"],
            expires_at=panel.clock() + timedelta(hours=1),
        )
        self.key_id = row.id
        self._http = httpx.Client(
            base_url=f"http://{panel.settings.host}:{panel.settings.api_port}",
            headers={"X-API-Key": secret},
            timeout=10,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_of: object) -> None:
        self._http.close()
        with suppress(ConflictError):  # a person was faster
            keys.revoke(self._panel.db, self._actor, self.key_id)

    def predict(self, model: str, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Send rows in batches; returns the answers.

        Raises: UnavailableError, InvalidInputError.
        """
        answers: list[dict[str, Any]] = []
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            body: dict[str, Any] = {"model": model, "user_ids": [row.user for row in part]}
            if "message" in part[0].input:
                body["messages"] = [row.input["message"] for row in part]
            else:
                body["batch_features"] = [row.input["features"] for row in part]
            answers += self._post("/predict/batch", body)["results"]
        return answers

    def label(self, answers: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> int:
        """Report what was true; returns how many labels were taken."""
        items = [
            {"prediction_id": answer["prediction_id"], "label": row.label}
            for answer, row in zip(answers, rows, strict=True)
            if "prediction_id" in answer
        ]
        for start in range(0, len(items), CHUNK):
            self._post("/feedback", {"items": items[start : start + CHUNK]})
        return len(items)

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        for _ in range(20):  # a new key is known to the api within a second
            try:
                answer = self._http.post(path, json=body)
            except httpx.HTTPError as error:
                raise UnavailableError(
                    f"the api does not answer at {self._http.base_url}: start it with `make run`"
                ) from error
            if answer.status_code != httpx.codes.UNAUTHORIZED:
                break
            _pause(0.2)
        if answer.is_error:
            detail = answer.json().get("detail", answer.reason_phrase)
            raise InvalidInputError(f"the api refused the rows: {detail}")
        return dict(answer.json())


def _pause(seconds: float) -> None:
    import time

    time.sleep(seconds)


class Source:
    """Rows of the kind that a model was tested on, and drifted ones."""

    def __init__(self, panel: Panel, model: str, *, seed: int) -> None:
        with panel.db.read() as session:
            self.spec = specs.active(session, model)
            champion = releases.champion(releases.current(session, model))
            version = registry.get(session, model, champion)
            dataset = session.get_one(DatasetVersion, version.test_dataset_id)
            learnt = session.get_one(DatasetVersion, version.train_dataset_id)
        self.generated = "generated messages" in learnt.source
        self.frame = versions.frame(panel.settings, dataset)
        self.random = random.Random(seed)  # noqa: S311 (simulated traffic)
        self._to_deal: list[int] = []

    def rows(self, n: int, *, campaign: str | None = None, share: float = 0.0) -> list[Row]:
        """Return `n` rows, of which `share` belong to `campaign`, in random order.

        Raises: InvalidInputError (no such campaign for this kind of model).
        """
        drifted = round(n * share) if campaign else 0
        rows = self._ordinary(n - drifted)
        if campaign and drifted:
            rows += self._drifted(drifted, campaign)
        self.random.shuffle(rows)
        return rows

    def _ordinary(self, n: int) -> list[Row]:
        """Return held-out rows, or new messages where the model learnt from generated ones."""
        if self.generated:
            fresh = generator.messages(n, seed=self._next_seed())
            return [Row({"message": m.text}, m.label, _user(self.random)) for m in fresh]
        return list(_rows(self.spec, self._dealt(n), self.random))

    def _dealt(self, n: int) -> pd.DataFrame:
        """Deal held-out rows like cards: none comes again before all have come.

        Drawn with replacement, one wrong answer that comes often would pass for a change.
        """
        while len(self._to_deal) < n:
            self._to_deal += self.random.sample(range(len(self.frame)), len(self.frame))
        now, self._to_deal = self._to_deal[:n], self._to_deal[n:]
        return self.frame.iloc[now]

    def _drifted(self, n: int, campaign: str) -> list[Row]:
        if self.spec.task == "text":
            messages = generator.messages(
                n, seed=self._next_seed(), spam_share=1.0, campaigns=[campaign]
            )
            return [
                Row({"message": m.text}, self.spec.positive, _user(self.random)) for m in messages
            ]
        if campaign != SHIFT:
            raise InvalidInputError(f"rows of numbers drift by the campaign `{SHIFT}` only")
        picked = self._dealt(n).copy()
        for feature in self.spec.input.features or ():
            if feature.type == "numeric":
                picked[feature.name] = picked[feature.name] + self.frame[feature.name].std()
        return list(_rows(self.spec, picked, self.random))

    def _next_seed(self) -> int:
        return self.random.randrange(2**31)


def _rows(spec: ModelSpec, frame: pd.DataFrame, chance: random.Random) -> Iterator[Row]:
    for record in frame.to_dict("records"):
        label = str(record[spec.target.column])
        if spec.input.text is not None:
            content: dict[str, Any] = {"message": str(record[spec.input.text])}
        else:
            names = [feature.name for feature in spec.input.features or ()]
            content = {"features": {name: _plain(record[name]) for name in names}}
        yield Row(content, label, _user(chance))


def _plain(value: object) -> object:
    if value is None or value != value:  # NaN is the one value that differs from itself
        return None
    return value.item() if hasattr(value, "item") else value


def _user(chance: random.Random) -> str:
    return f"user-{chance.randrange(5000)}"

"""An installation in which one thing has changed per model, written the way the product writes."""

import random
from datetime import timedelta

import numpy as np
import pandas as pd

from core import releases, specs
from core.automation import watch
from core.datasets import generator, suites, versions
from core.ids import new_id
from core.serving import storing
from core.serving.records import sample_key
from core.statistics import isotonic
from tests.conftest import version_row
from tests.e2e.panel_home import BOOT, EXECUTOR, WORKER

TABLE = """
name: {name}
title: {title}
task: tabular
target: {{column: ill, positive: "yes", negative: "no"}}
input:
  features:
    - {{name: age, type: numeric}}
    - {{name: pressure, type: numeric}}
    - {{name: pulse, type: numeric}}
    - {{name: pain, type: category}}
candidates: [{{kind: logistic_regression}}]
monitoring: {{min_samples: 100, slices: [pain]}}
"""
TEXT = """
name: {name}
title: {title}
task: text
target: {{column: label, positive: spam, negative: ham}}
input: {{text: message}}
candidates: [{{kind: logistic_regression}}]
"""
LABELS = {"tabular": ("no", "yes"), "text": ("ham", "spam")}
KINDS = ("units", "location", "category", "missing", "covariance", "campaign", "labels", "latency")
WINDOW, REFERENCE = 300, 1500
_SURE = np.tile([0.04, 0.95], 500)
CALIBRATION = isotonic.fit(_SURE, (_SURE > 0.5) ^ (np.arange(1000) % 25 == 0)).to_dict()
"""Of 25 held-out answers, 24 were right, whatever they said."""


def patients(n, seed, change=""):
    """Rows of a table in which at most one thing is not as it was."""
    rng = np.random.default_rng(seed)
    age, pressure, pulse = rng.normal(54, 9, n), rng.normal(130, 15, n), rng.normal(75, 8, n)
    pain = rng.choice(["none", "typical", "other"], n)
    if change == "location":
        age = age + 9
    if change == "category":
        pain = np.where(rng.random(n) < 0.15, "unheard", pain)
    if change == "missing":
        pulse = np.where(rng.random(n) < 0.3, np.nan, pulse)
    if change == "covariance":
        pressure = 130 + 15 * (0.9 * (age - 54) / 9 + (1 - 0.9**2) ** 0.5 * rng.normal(size=n))
    if change == "units":
        pressure = pressure / 10  # cm of mercury in place of mm
    columns = {"age": age, "pressure": pressure, "pulse": pulse}
    return pd.DataFrame({**{k: v.round(2) for k, v in columns.items()}, "pain": pain})


def messages(n, seed, change=""):
    """Texts, of which a fifth may be nearly the same message, which nobody sent before."""
    drawn = [one.text for one in generator.messages(n, seed=seed)]
    new = [f"Claim your airdrop {place} now, connect any wallet today" for place in range(n // 5)]
    return drawn[: n - len(new)] + new if change == "campaign" else drawn


class Changes:
    """Models of a panel by the name of what changes; `now` is when the last answer was given."""

    def __init__(self, panel):
        self.panel, self.chance, self.now = panel, random.Random(5), panel.clock()

    def add(self, kind):
        """Release a model of that name, answer quietly, change one thing, and check each time."""
        text = kind == "campaign"
        template = TEXT if text else TABLE
        specs.apply(self.panel.db, BOOT, template.format(name=kind, title=f"Ward {kind}"))
        self.panel.clock.behind = timedelta(hours=20)
        self._release(kind, text=text)
        for hours, seed in ((8, 2), (1, 3)):
            self.panel.clock.behind = timedelta(hours=hours)
            self._answer(kind, seed, change=kind if hours == 1 else "")
            self.panel.clock.behind -= timedelta(minutes=31)
            watch.check(self.panel.db, self.panel.settings, kind)
        self.panel.clock.behind = timedelta()

    def _release(self, name, *, text):
        if text:
            frame = pd.DataFrame({"message": messages(REFERENCE, 99)})
        else:
            frame = patients(REFERENCE, 99)
        kept = {"role": "reference", "frame": frame, "source": "the ward's records"}
        digest = versions.write(self.panel.settings, frame)
        with self.panel.db.command(WORKER, "dataset.load") as command:
            key = versions.add(command, model=name, digest=digest, **kept).id
        if name == "units":
            with self.panel.db.read() as session:
                spec = specs.active(session, name)
            suites.keep_first(
                self.panel.db, spec, suites.suite_for(spec, frame.assign(ill="no")), key
            )
        with self.panel.db.command(WORKER, "version.register") as command:
            row = version_row(name, "1.0.0", 1, command.now)
            row.metrics = {"accuracy": 0.95, "f1": 0.9, "n_test": 1000, "isotonic": CALIBRATION}
            negative, positive = LABELS["text" if text else "tabular"]
            row.signature = {**row.signature, "labels": [negative, positive], "positive": positive}
            row.reference_dataset_id = key
            command.session.add(row)
        with self.panel.db.command(EXECUTOR, "release.promote") as command:
            releases.promote(command, name, "1.0.0", replaces=0, reason="the first one")

    def _answer(self, name, seed, *, change):
        text = name == "campaign"
        if text:
            inputs = [{"message": one} for one in messages(WINDOW, seed, change)]
        else:
            rows = patients(WINDOW, seed, change).astype(object)
            rows = rows.where(rows.notna(), None).to_dict("records")
            inputs = [{"features": row} for row in rows]
        said = LABELS["text" if text else "tabular"]
        start = self.panel.clock()
        records = []
        for place, given in enumerate(inputs):
            at = start + timedelta(seconds=6 * place)
            slow = change == "latency" and place % 4
            records += self._records(name, at, given, said, slow=slow, wrong=change == "labels")
        with self.panel.db.append() as session:
            storing.store(session, records)

    def _records(self, name, at, given, said, *, slow, wrong):
        key, positive = new_id(at), self.chance.random() < 0.3
        row = {
            "at": at.isoformat(timespec="microseconds"), "id": key, "model": name,
            "version": "1.0.0", "variant": "control", "release_seq": 1, "is_shadow": False,
            "sample_key": sample_key(key), "input": given, "label": said[positive],
            "probability": 0.95 if positive else 0.04, "entity_id": None, "experiment": None,
            "latency_ms": self.chance.uniform(700, 900) if slow else self.chance.uniform(2, 9),
            "key_id": "k",
        }  # fmt: skip
        yield {"kind": "prediction", "once": None, "positive": positive, "row": row}
        if name == "labels":
            right = self.chance.random() >= (0.4 if wrong else 0.04)
            value = said[positive] if right else said[not positive]
            label = {"prediction_id": key, "source": "till", "value": value, "state": "confirmed"}
            moment = (at + timedelta(seconds=30)).isoformat(timespec="microseconds")
            yield {"kind": "label", "row": {**label, "at": moment}}

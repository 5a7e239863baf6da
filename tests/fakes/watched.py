"""A released model with a reference sample, and the traffic that it answers."""

from datetime import timedelta
from functools import partial
from itertools import count as numbers

import numpy as np
import pandas as pd
import yaml

from core import releases, specs
from core.access import system
from core.clock import hour_of
from core.datasets import generator, versions
from core.ids import new_id
from core.monitoring import tabular, text
from core.tables.telemetry import Label, Prediction
from tests.conftest import version_row
from tests.fakes.counted import count

TEXT = """
name: spam
title: Messages
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: logistic_regression}]
monitoring: {min_samples: 100, alpha: 0.01, windows: 3}
"""
TABLE = """
name: heart
title: Hearts
task: tabular
target: {column: ill, positive: "yes", negative: "no"}
input: {features: [{name: age, type: numeric}, {name: pain, type: category}]}
candidates: [{kind: logistic_regression}]
monitoring: {min_samples: 100, alpha: 0.01, windows: 3}
"""
METRICS = {"accuracy": 0.97, "f1": 0.9, "n_test": 1000}


def be_quick(monkeypatch):
    """Compare with 199 permutations instead of 999; the smallest p is then .005."""
    for method in (text, tabular):
        monkeypatch.setattr(method, "compare", partial(method.compare, permutations=199))


class Watched:
    """One model under watch: `release` versions, `answer` requests, `label` answers."""

    def __init__(self, db, settings, clock, spec=TEXT):
        self.db, self.settings, self.clock = db, settings, clock
        self.text, self.spec = spec, specs.apply(db, system("bootstrap"), spec)
        self.version = None
        self.seeds = numbers(1000)
        self.reference = self._keep_reference()

    def size(self, **monitoring):
        """Change how the model is watched, for example ``window_rows=200``."""
        document = yaml.safe_load(self.text)
        document["monitoring"] |= monitoring
        self.text = yaml.safe_dump(document)
        self.spec = specs.apply(self.db, system("bootstrap"), self.text)

    def _keep_reference(self):
        if self.spec.task == "text":
            drawn = generator.messages(600, seed=1)
            frame = pd.DataFrame(
                {"message": [m.text for m in drawn], "label": [m.label for m in drawn]}
            )
        else:
            frame = hearts(600, seed=1)
        digest = versions.write(self.settings, frame)
        with self.db.command(system("worker"), "dataset.load") as command:
            kept = {"role": "reference", "frame": frame, "digest": digest, "source": "test"}
            return versions.add(command, model=self.spec.name, **kept).id

    def release(self, version="1.0.0"):
        with self.db.command(system("worker"), "version.register") as command:
            row = version_row(self.spec.name, version, int(version.split(".")[0]), command.now)
            row.reference_dataset_id, row.metrics = self.reference, METRICS
            command.session.add(row)
        self.serve(version)

    def serve(self, version):
        with self.db.command(system("worker"), "release.promote") as command:
            newest = releases.find_current(command.session, self.spec.name)
            seq = newest.seq if newest else 0
            releases.promote(command, self.spec.name, version, replaces=seq, reason="test")
        self.version = version

    def answer(self, n=120, *, campaign=None, share=0.4, seed=None, version=None):
        """Log `n` answers to messages, `share` of them from `campaign`."""
        seed = next(self.seeds) if seed is None else seed
        if campaign:
            drawn = generator.drifted(n, seed=seed, campaign=campaign, share=share)
        else:
            drawn = generator.messages(n, seed=seed)
        inputs = [{"message": message.text} for message in drawn]
        return self.log(inputs, version=version)

    def log(self, inputs, *, version=None, said="ham"):
        rows = []
        for given in inputs:
            self.clock.now += timedelta(milliseconds=10)
            rows.append(self._row(given, version or self.version, said))
        with self.db.append() as session:
            session.add_all(rows)
            count(session, rows)
        return rows

    def _row(self, given, version, said):
        now = self.clock()
        key = new_id(now)
        return Prediction(
            at=now,
            id=key,
            model=self.spec.name,
            version=version,
            variant="control",
            release_seq=1,
            is_shadow=False,
            hour=hour_of(now),
            sample_key=hash(key) % 2**62,
            input=given,
            label=said,
            probability=0.1,
            latency_ms=1.0,
            key_id="k",
        )

    def label(self, rows, *, wrong=0):
        """Say the truth about answers: `wrong` of them were wrong, the first ones."""
        with self.db.append() as session:
            for place, row in enumerate(rows):
                truth = row.label if place >= wrong else "spam" if row.label == "ham" else "ham"
                session.add(
                    Label(
                        prediction_id=row.id,
                        source="client",
                        value=truth,
                        state="confirmed",
                        at=self.clock(),
                    )
                )


def hearts(n, *, seed, older=0.0):
    """Rows of a table whose `age` moves by `older` years."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(54 + older, 9, n).round(1),
            "pain": rng.choice(["none", "typical", "other"], n),
            "ill": rng.choice(["yes", "no"], n),
        }
    )

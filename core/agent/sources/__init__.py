"""Where facts come from: one reader per group of facts, each yielding only what exists.

A reader costs the same however much traffic there is: it reads counters, stored reports, and at
most the newest thousand or so labelled answers. Two are exceptions, which the database sums up: the
outcomes of a running experiment, and the labels of the last day by where they came from.
"""

from collections.abc import Callable, Iterator

from core.agent.sources.accuracy import accuracy, concept
from core.agent.sources.deployment import deployment
from core.agent.sources.drift import drift, messages, texts
from core.agent.sources.experiment import experiment
from core.agent.sources.outside import alarms
from core.agent.sources.people import note, pending
from core.agent.sources.quality import label_sources, quality
from core.agent.sources.retraining import candidate, retraining
from core.agent.sources.scope import Item, Scope, scope
from core.agent.sources.service import scale, service

SOURCES: tuple[Callable[[Scope], Iterator[Item]], ...] = (
    drift,
    texts,
    accuracy,
    concept,
    quality,
    label_sources,
    service,
    scale,
    deployment,
    retraining,
    candidate,
    experiment,
    alarms,
    note,
    pending,
    messages,
)

__all__ = ["SOURCES", "Item", "Scope", "scope"]

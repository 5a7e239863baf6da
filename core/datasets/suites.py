"""A model's suite of expectations: generated from its spec and first data, then edited by people.

Each edit is a new row; the newest is in force.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import specs
from core.access import Actor, system
from core.datasets import rules
from core.datasets.expectations import Expectation, parse
from core.datasets.schema import MOST_CATEGORIES
from core.db import Database
from core.errors import ConflictError, InvalidInputError
from core.specs import ModelSpec
from core.tables.entities import ExpectationSuite

RANGE_SLACK, MISSING_SLACK, LENGTH_FACTOR = 0.1, 0.05, 3.0
MOSTLY = 0.99
"""A generated bound is broken by more than one value in a hundred, not by a single odd one."""

_TRAINING_ONLY = frozenset({"rows_at_least", "duplicates_at_most", "distinct_at_least"})


def suite_for(spec: ModelSpec, frame: pd.DataFrame) -> tuple[Expectation, ...]:
    """Return what `frame`, and data like it, is expected to be.

    Hard: the spec's columns are there, numeric ones hold numbers, the target one of its labels,
    and there are enough rows. Soft, from what `frame` holds: ranges 10 % wider than seen, known
    categories, missing values at most 5 points above those seen, texts at most three times as
    long, no class less than half as common, repeated rows, columns that are not constant.
    """
    found = [Expectation("rows_at_least", None, {"rows": spec.validation.min_rows}, "hard")]
    found += _of_target(spec, frame)
    kinds = {feature.name: str(feature.type) for feature in spec.input.features}
    for name in spec.columns:
        if name not in frame.columns and name in looked_up(spec):
            continue
        found.append(Expectation("present", name, severity="hard"))
        if name in frame.columns:
            found += _of_column(name, kinds.get(name, "text"), frame)
    share = rules.PlainValidator().run(
        frame, [Expectation("duplicates_at_most", None, {"share": 0.0})]
    )[0]
    seen = share.n_failed / max(1, share.n_checked)
    bound = _round(min(1.0, max(seen + 0.1, spec.validation.max_duplicate_share)))
    return (*found, Expectation("duplicates_at_most", None, {"share": bound}))


def looked_up(spec: ModelSpec) -> frozenset[str]:
    """Return the features that a definition derives or looks up, so a file may lack them."""
    return frozenset(feature.name for feature in spec.input.features if feature.definition)


def _of_target(spec: ModelSpec, frame: pd.DataFrame) -> Iterator[Expectation]:
    target = spec.target
    yield Expectation("present", target.column, severity="hard")
    meant: dict[str, Any] = {"value": target.positive}
    if target.positive_above is not None:
        meant["above"] = target.positive_above
        yield Expectation("number", target.column, severity="hard")
    elif not target.rest:
        labels = {"values": spec.labels, "mostly": 1.0}
        yield Expectation("in_set", target.column, labels, "hard")
    if target.column in frame.columns:
        probe = Expectation("share_between", target.column, {**meant, "low": 0.0, "high": 1.0})
        share = rules.subject(frame, probe).mean()
        if share == share:
            bounds = {"low": _round(share / 2), "high": _round(1 - (1 - share) / 2)}
            yield Expectation("share_between", target.column, meant | bounds)
        yield _missing(target.column, frame)


def _of_column(name: str, kind: str, frame: pd.DataFrame) -> Iterator[Expectation]:
    yield _missing(name, frame)
    if kind == "numeric":
        yield Expectation("number", name, severity="hard")
        numbers = rules.subject(frame, Expectation("between", name)).dropna()
        if len(numbers):
            yield Expectation("between", name, _range(numbers) | {"mostly": MOSTLY})
            yield from _varied(name, numbers.nunique())
    elif kind == "category":
        words = rules.subject(frame, Expectation("in_set", name)).dropna()
        different = sorted(words.unique())
        if 0 < len(different) <= MOST_CATEGORIES:
            yield Expectation("in_set", name, {"values": different, "mostly": MOSTLY})
        yield from _varied(name, len(different))
    else:
        lengths = rules.subject(frame, Expectation("length_between", name)).dropna()
        if len(lengths):
            longest = float(np.ceil(lengths.max() * LENGTH_FACTOR))
            bounds = {"low": 1.0, "high": longest, "mostly": MOSTLY}
            yield Expectation("length_between", name, bounds)


def _missing(name: str, frame: pd.DataFrame) -> Expectation:
    found = rules.subject(frame, Expectation("missing_at_most", name))
    share = float(found.isna().mean()) if len(found) else 0.0
    return Expectation("missing_at_most", name, {"share": _round(min(1.0, share + MISSING_SLACK))})


def _range(numbers: Any) -> dict[str, float]:  # noqa: ANN401 (a pandas Series)
    low, high = float(numbers.min()), float(numbers.max())
    slack = (high - low) * RANGE_SLACK or max(abs(low) * RANGE_SLACK, 1.0)
    below = low - slack
    return {"low": _round(max(0.0, below) if low >= 0 else below), "high": _round(high + slack)}


def _varied(name: str, different: int) -> Iterator[Expectation]:
    if different > 1:
        yield Expectation("distinct_at_least", name, {"values": 2})


def _round(number: float) -> float:
    return float(f"{number:.6g}")


def for_traffic(spec: ModelSpec, suite: Sequence[Expectation]) -> tuple[Expectation, ...]:
    """Return what is expected of live inputs: nothing about the target or a whole data set."""
    named = (one for one in suite if one.column not in (None, spec.target.column))
    return tuple(one for one in named if one.kind not in _TRAINING_ONLY)


def current(session: Session, model: str) -> ExpectationSuite | None:
    """Return the suite in force, or None before the first data."""
    query = select(ExpectationSuite).filter_by(model=specs.canonical(model))
    return session.scalars(query.order_by(ExpectationSuite.version.desc()).limit(1)).first()


def history(session: Session, model: str) -> list[ExpectationSuite]:
    """Return every edit of a model's suite, newest first."""
    query = select(ExpectationSuite).filter_by(model=specs.canonical(model))
    return list(session.scalars(query.order_by(ExpectationSuite.version.desc())))


def expectations(row: ExpectationSuite, spec: ModelSpec) -> tuple[Expectation, ...]:
    """Return a stored suite's expectations; those about columns the spec has lost are left out."""
    known = {*spec.columns, spec.target.column, None}
    kept = [one for one in row.expectations if one.get("column") in known]
    return parse(kept, [name for name in known if name]) if kept else ()


def keep_first(
    db: Database, spec: ModelSpec, suite: Sequence[Expectation], dataset_id: str
) -> ExpectationSuite:
    """Store the generated suite of a model that has none; who comes second gets the first's."""
    with db.read() as session:
        known = current(session, spec.name)
    if known is not None:
        return known
    try:
        return _store(db, _WORKER, spec, suite, reason=_GENERATED, dataset_id=dataset_id)
    except ConflictError:
        with db.read() as session:
            if known := current(session, spec.name):
                return known
        raise


def edit(
    db: Database,
    actor: Actor,
    model: str,
    content: Iterable[Mapping[str, Any]],
    *,
    reason: str,
) -> ExpectationSuite:
    """Put another suite in force, from ``{kind, column, arguments, severity}`` mappings.

    Raises: ForbiddenError, NotFoundError (model), InvalidInputError (an expectation, no reason).
    """
    with db.read() as session:
        spec = specs.active(session, model)
    if not reason.strip():
        raise InvalidInputError("Say in a few words why the expectations change.")
    suite = parse(content, [*spec.columns, spec.target.column])
    return _store(db, actor, spec, suite, reason=reason.strip(), dataset_id=None)


def _store(
    db: Database,
    actor: Actor,
    spec: ModelSpec,
    suite: Sequence[Expectation],
    *,
    reason: str,
    dataset_id: str | None,
) -> ExpectationSuite:
    with db.command(actor, "expectation.edit") as command:
        before = current(command.session, spec.name)
        row = ExpectationSuite(
            model=spec.name,
            version=before.version + 1 if before else 1,
            expectations=[one.to_dict() for one in suite],
            dataset_id=dataset_id or (before.dataset_id if before else None),
            author=command.actor.name,
            reason=reason,
            at=command.now,
        )
        command.session.add(row)
        command.note(model=spec.name, reason=reason, suite=row.version, expectations=len(suite))
        return row


_WORKER = system("worker")
_GENERATED = "generated from the spec and the first data"

"""A version that lacked evidence is judged again when labelled rows have arrived since.

A version keeps all its answers. The rule for looking again is in `decide.against_champion`: look k
spends alpha / 2^k, and the judgement after the training was look 1.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy.orm import Session

from core import jobs, registry, runs, specs
from core.access import system
from core.datasets import schema, versions
from core.db import Command, Database
from core.errors import ConflictError
from core.jobs import Claim
from core.registry import again
from core.settings import Settings
from core.specs import ModelSpec, options
from core.tables.entities import ModelVersion
from core.training import data, decide
from core.training.decide import Comparison, Decision

WORKER = system("worker")


@dataclass(frozen=True)
class _Rows:
    """What judges this time; the last `n_new` of `test` came after the old held-out rows."""

    candidate: ModelVersion
    champion: ModelVersion
    spec: ModelSpec
    run_kind: str
    test: pd.DataFrame
    n_new: int
    tried: int


def judge(
    db: Database, settings: Settings, claim: Claim, model: str, version: str, *, look: int
) -> dict[str, Any]:
    """Judge a version for the `look`-th time and write the answer on it; propose what it promotes.

    It meets what serves now, on its old held-out rows and the labelled rows from production that
    neither of the two has learnt; of a retrain the new rows are judged by themselves.
    Returns the new gate result.
    Raises: NotFoundError (no such version, its data is no longer stored); ConflictError (it does
    not lack evidence, no label arrived since, it had this look, nothing serves, a file is missing).
    """
    with db.read() as session:
        row = registry.get(session, model, version)
        _check(session, row, look)
        rows = _rows(session, settings, row)
    decision = _decided(settings, rows)
    with db.command(WORKER, "version.judge") as command:
        jobs.check_fence(command.session, claim)
        return _write(command, rows, decision)


def _check(session: Session, row: ModelVersion, look: int) -> None:
    if again.looks(row) != look - 1:
        raise ConflictError(f"{row.model} {row.version} was judged again already")
    again.check(session, row)


def _rows(session: Session, settings: Settings, candidate: ModelVersion) -> _Rows:
    champion = data.serving(session, candidate.model)
    if champion is None or champion.version == candidate.version:
        raise ConflictError("nothing else serves that it could be judged against")
    run = runs.get(session, candidate.run_id)
    spec = options.with_options(specs.at_version(session, run.model, run.spec_version), run.options)
    stored = versions.get(session, candidate.test_dataset_id)
    held_out = schema.conform(versions.frame(settings, stored), spec)
    old, recent = _parts(held_out, candidate)
    old = old[~data.seen_by(settings, session, champion, old, spec)].reset_index(drop=True)
    new = data.unlearnt(settings, session, (candidate, champion), spec, more=recent)
    if not len(new):
        raise ConflictError("the labelled rows that arrived say nothing that it has not learnt")
    against = champion.version
    tried = registry.tried(session, candidate.model, candidate.test_dataset_id, against)
    return _Rows(
        candidate=candidate,
        champion=champion,
        spec=spec,
        run_kind=run.kind,
        test=pd.concat([old, new], ignore_index=True),
        n_new=len(new),
        tried=tried + (candidate.gate.get("champion") != against),
    )


def _parts(held_out: pd.DataFrame, candidate: ModelVersion) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the old held-out rows, and those that were the newest at the training."""
    n_old = candidate.metrics.get("n_old")
    if n_old is None:
        kept = candidate.metrics.get("evaluations") or {}
        other = next((text for id_, text in kept.items() if id_ != candidate.test_dataset_id), None)
        n_old = len(registry.unpack(other)) if other else len(held_out)
    return held_out.iloc[:n_old], held_out.iloc[n_old:]


def _decided(settings: Settings, rows: _Rows) -> Decision:
    compared = Comparison(
        test=rows.test,
        candidate=decide.candidate_right(settings, rows.candidate, rows.test, rows.spec),
        champion=decide.champion_right(settings, rows.champion, rows.test, rows.spec),
        n_recent=rows.n_new if rows.run_kind == "retrain" else 0,
        overlap=0,  # none of the two has learnt any of these rows
        candidates_tried=rows.tried,
        look=again.looks(rows.candidate) + 1,
    )
    return decide.against_champion(compared, rows.spec)


def _write(command: Command, rows: _Rows, decision: Decision) -> dict[str, Any]:
    """Keep the answer, with those before it, unless somebody was faster."""
    before = rows.candidate
    row = registry.get(command.session, before.model, before.version)
    _check(command.session, row, again.looks(before) + 1)
    former = {name: value for name, value in row.gate.items() if name != "earlier"}
    former["at"] = again.judged_at(row).isoformat()
    answer = decision.result["answer"]
    row.gate = {
        **decision.result,
        "champion": rows.champion.version,
        "at": command.now.isoformat(),
        "earlier": [*row.gate.get("earlier", ()), former],
    }
    row.state = decision.state
    command.note(
        model=row.model,
        version=row.version,
        answer=answer,
        before=former["answer"],
        n=len(rows.test),
        look=again.looks(row),
    )
    if answer == "promote":
        key = f"promotion:{row.run_id}:{again.looks(row)}"
        jobs.enqueue(
            command.session, "propose_promotion", {"run_id": row.run_id}, now=command.now, key=key
        )
    return row.gate

"""Great Expectations behind the port of `core.datasets.expectations`.

Everything stays in memory: no project folder, no data docs, nothing sent. Importing the library
takes some seconds and some 275 MB, so only the worker's child processes and the command line do.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from core.datasets import rules
from core.datasets.expectations import MOST_FAILING, Expectation, Result, judgeable
from core.errors import PilothouseError

MOST_CELLS = 20_000_000
"""Columns are judged in groups, so that their copies stay within about 160 MB."""

_FORMAT = {
    "result_format": "SUMMARY",
    "partial_unexpected_count": MOST_FAILING,
    "unexpected_index_column_names": ["row"],
}


class GreatExpectations:
    """Judges a frame with Great Expectations; see the port."""

    name = "Great Expectations"

    def __init__(self) -> None:
        self._source: Any = None

    def run(self, frame: pd.DataFrame, expectations: Sequence[Expectation]) -> list[Result]:
        """Return one result per expectation that can be judged, in order."""
        wanted = list(enumerate(judgeable(frame, expectations)))
        found: dict[int, Result] = {}
        per_group = max(1, MOST_CELLS // max(1, len(frame)))
        for first in range(0, len(wanted), per_group):
            found |= self._judge(frame, dict(wanted[first : first + per_group]))
        return [found[number] for number, _one in wanted]

    def _judge(self, frame: pd.DataFrame, group: Mapping[int, Expectation]) -> dict[int, Result]:
        """Judge one group on a table with one column per expectation."""
        import great_expectations as gx

        table, checks = pd.DataFrame({"row": range(len(frame))}), []
        columns: dict[str, Any] = {}
        for number, one in group.items():
            if one.kind == "present":
                if one.column in frame.columns:
                    columns[f"e{number}"] = pd.Series(True, index=table.index)
            elif one.kind != "rows_at_least":
                columns[f"e{number}"] = rules.subject(frame, one)
            checks.append(_translated(one, f"e{number}", number))
        table = pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)
        answer = self._batch(table).validate(
            gx.ExpectationSuite(name="suite", expectations=checks), result_format=_FORMAT
        )
        by_number = {said.expectation_config.meta["number"]: said for said in answer.results}
        present = {name: int(values.notna().sum()) for name, values in columns.items()}
        return {
            number: _result(one, by_number[number], present.get(f"e{number}", 0))
            for number, one in group.items()
        }

    def _batch(self, table: pd.DataFrame) -> Any:  # noqa: ANN401 (a vendor's type)
        if self._source is None:
            self._source = _source()
        asset = self._source.add_dataframe_asset(f"frame-{len(self._source.assets)}")
        whole = asset.add_batch_definition_whole_dataframe("whole")
        return whole.get_batch({"dataframe": table})


def _source() -> Any:  # noqa: ANN401 (a vendor's type)
    """Return a source of frames in a context that lives in memory and tells nobody."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=config)
    return context.data_sources.add_pandas("memory")


def _translated(one: Expectation, name: str, number: int) -> Any:  # noqa: ANN401 (a vendor's type)
    """Return the vendor's expectation about the column `name` that holds the subject."""
    import great_expectations.expectations as vocabulary

    gxe: Any = vocabulary
    arguments = one.arguments
    column: dict[str, Any] = {"column": name, "meta": {"number": number}}
    between: dict[str, Any] = {
        "min_value": arguments.get("low"),
        "max_value": arguments.get("high"),
    }
    mostly: dict[str, Any] = {"mostly": rules.mostly(one)}
    match one.kind:
        case "present":
            return gxe.ExpectColumnToExist(**column)
        case "rows_at_least":
            return gxe.ExpectTableRowCountToBeBetween(
                min_value=arguments["rows"], meta=column["meta"]
            )
        case "number" | "missing_at_most":
            return gxe.ExpectColumnValuesToNotBeNull(**column, **mostly)
        case "between" | "length_between":
            return gxe.ExpectColumnValuesToBeBetween(**column, **between, **mostly)
        case "in_set":
            values = list(arguments["values"])
            return gxe.ExpectColumnValuesToBeInSet(**column, value_set=values, **mostly)
        case "distinct_at_least":
            return gxe.ExpectColumnUniqueValueCountToBeBetween(
                **column, min_value=arguments["values"]
            )
        case "duplicates_at_most":
            return gxe.ExpectColumnValuesToBeUnique(**column, **mostly)
        case _:
            return gxe.ExpectColumnMeanToBeBetween(**column, **between)


def _result(one: Expectation, said: Any, present: int) -> Result:  # noqa: ANN401 (a vendor's type)
    """Return the vendor's answer about `present` values in our words.

    Raises: PilothouseError (the library could not judge it, and says why).
    """
    _check(one, said)
    found, ok = said.result, bool(said.success)
    if one.kind == "present":
        return Result(one, ok, 0)
    if one.kind == "rows_at_least":
        rows = int(found["observed_value"])
        return Result(one, ok, rows, observed=float(rows))
    if "observed_value" in found:
        observed = found["observed_value"]
        empty = observed is None or bool(observed != observed)
        return Result(one, ok or empty, present, observed=None if empty else float(observed))
    checked = int(found.get("element_count") or 0) - int(found.get("missing_count") or 0)
    rows_failed = found.get("partial_unexpected_index_list") or []
    first = tuple(int(place["row"]) for place in rows_failed[:MOST_FAILING])
    return Result(one, ok, checked, int(found.get("unexpected_count") or 0), first)


def _check(one: Expectation, said: Any) -> None:  # noqa: ANN401 (a vendor's type)
    problem = said.exception_info or {}
    told = [problem, *(part for part in problem.values() if isinstance(part, dict))]
    for part in told:
        if part.get("raised_exception"):
            why = str(part.get("exception_message"))[:200]
            raise PilothouseError(f"Great Expectations cannot judge that {one.sentence}: {why}")

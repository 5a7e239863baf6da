"""The model card of a version: what it is and how it was decided, as Markdown; pure."""

import re
from collections.abc import Sequence
from typing import Any

from core.registry.stages import verdict
from core.tables.entities import DatasetVersion, ModelVersion, Run

FIGURES = {
    "accuracy": "accuracy",
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC AUC",
    "brier": "Brier score (smaller is better)",
}


def card(
    version: ModelVersion,
    *,
    title: str,
    run: Run | None = None,
    datasets: Sequence[DatasetVersion] = (),
    stage: str = "",
) -> str:
    """Return the model card of `version` in Markdown, from what is stored about it alone.

    `datasets` are those it was trained, judged and is watched with; `title` is the model's.
    """
    parts = [
        f"# {_plain(title)}, version {version.version}",
        _what(version, stage),
        "## Data\n" + _data(datasets),
        "## Figures\n" + _figures(version),
        "## How it was decided\n" + _decided(version),
        "## Limits\n" + _limits(version),
        "## How it was trained\n" + _trained(version, run),
        "## How to go back\n" + _back(version),
    ]
    return "\n\n".join(parts) + "\n"


def _what(version: ModelVersion, stage: str) -> str:
    signature = version.signature
    inputs = signature.get("input") or {}
    reads = inputs.get("text") or ", ".join(
        f"{one['name']} ({one['type']})" for one in inputs.get("features") or ()
    )
    labels = " or ".join(str(label) for label in signature.get("labels") or ())
    rows = [
        ("model", version.model),
        ("stage", stage or version.state),
        ("algorithm", version.algorithm),
        ("reads", reads or "unknown"),
        ("answers", labels or "unknown"),
        ("positive from a probability of", f"{_threshold(version):g}"),
        ("registered", f"{version.at:%Y-%m-%d %H:%M} UTC"),
        ("artifact (SHA-256)", version.artifact),
    ]
    return _table(("", ""), rows)


def _threshold(version: ModelVersion) -> float:
    return 0.5 if version.threshold is None else version.threshold


def _data(datasets: Sequence[DatasetVersion]) -> str:
    if not datasets:
        return "What it was trained on is no longer described here."
    rows = [(row.role, f"{row.n_rows:,}", row.source, row.digest[:12]) for row in datasets]
    return _table(("role", "rows", "source", "digest"), rows)


def _figures(version: ModelVersion) -> str:
    metrics, intervals = version.metrics, version.metrics.get("intervals") or {}
    rows = [
        (name, _number(metrics[key]), _interval(intervals.get(key)))
        for key, name in FIGURES.items()
        if metrics.get(key) is not None
    ]
    if not rows:
        return "It was not measured on held-out rows."
    n = metrics.get("n_test")
    where = f"On {n:,} held-out rows, with 95 % intervals.\n\n" if n else ""
    return where + _table(("figure", "value", "95 % interval"), rows)


def _decided(version: ModelVersion) -> str:
    gate, lines = version.gate, [_sentence(verdict(version))]
    lines += [f"- {_plain(reason)}" for reason in gate.get("reasons") or ()]
    if over := version.overridden:
        lines.append(
            f"- overridden by {_plain(over['by'])} at {over['at']}: {_plain(over['reason'])}"
        )
    rows = [
        (part["name"], f"{part['n']:,}", _change(part.get("difference")), _words(part["answer"]))
        for part in gate.get("slices") or ()
    ]
    if rows:
        head = ("slice", "rows", "difference to what served", "answer")
        lines += ["", _table(head, rows)]
    return "\n".join(lines)


def _limits(version: ModelVersion) -> str:
    n = version.metrics.get("n_test")
    small = [p["name"] for p in version.gate.get("slices") or () if p["answer"] != "pass"]
    lines = [
        "- The figures hold for data like the held-out rows; watch drift for data that is not.",
        "- A probability is an estimate; it is not the share of all such cases in the world.",
    ]
    if n is not None and n < 1000:
        lines.append(f"- Only {n:,} rows judged it: read the intervals, not the figures.")
    if small:
        names = ", ".join(_plain(name) for name in small)
        lines.append(f"- It is not known to be as good as what served on: {names}.")
    return "\n".join(lines)


def _trained(version: ModelVersion, run: Run | None) -> str:
    if run is None:
        return f"Run {version.run_id} is no longer described here."
    words = f"A {run.kind} by {run.author}, asked for through the {run.trigger}"
    lines = [_sentence(_plain(f"{words}: {run.reason}" if run.reason else words)), ""]
    rows = [(name, str(value)) for name, value in sorted(run.parameters.items())]
    return "\n".join([*lines, _table(("parameter", "value"), rows)] if rows else lines).rstrip()


def _back(version: ModelVersion) -> str:
    return (
        "What served before it serves again within a second: page Releases, *Roll back*, or\n\n"
        f'    pilothouse rollback {version.model} --reason "..."'
    )


def _change(change: Any) -> str:  # noqa: ANN401 (what the gate stored)
    if not change:
        return "-"
    return f"{change['value']:+.1%} ({change['low']:+.1%} to {change['high']:+.1%})"


def _interval(interval: Sequence[Any] | None) -> str:
    return f"{_number(interval[0])} to {_number(interval[1])}" if interval else "-"


def _number(value: Any) -> str:  # noqa: ANN401
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _words(answer: object) -> str:
    return str(answer).replace("_", " ")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _plain(text: object) -> str:
    """Keep names and reasons from acting as Markdown or breaking a table."""
    return re.sub(r"([\\`*_\[\]<>|!#])", r"\\\1", " ".join(str(text).split()))


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = [[line if line == "---" else _plain(line) for line in row] for row in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)

"""Does a plan answer as its pipeline does? Asked on rows that are harder than real ones."""

import random
from collections.abc import Sequence
from typing import Any

from core.serving.compiler.reading import NoPlan
from core.serving.plans import Plan, runner

ROWS, TOLERANCE = 2_000, 1e-6
EXTREME = (0.0, -0.0, 1e-300, -1e-9, 1e9, -1e9, 1e30, -1e30)
ODD_TEXTS = (
    "",
    " ",
    "\x00\x07",
    "ÅNGSTRÖM ﬁancé İstanbul ẞ ǅ",
    "отправь 中文字 かな عربى हिन्दी 🎉🏆",
    "a" * 5_000,
    "£€$! ??? !!",
    "x̧̛́ e\u0301 \u200b\u2028",
    "1 22 333 4444 0800 FREE-call now.now_NOW",
)


def check(pipeline: Any, plan: Plan, signature: dict[str, Any], known: Sequence[Any]) -> float:  # noqa: ANN401
    """Return the largest difference in probability over `ROWS` rows made from `known` ones.

    `known`: texts, or features by name. Missing, unknown, extreme, empty and non-ASCII values
    are among the rows, and each is asked alone and with the others.
    Raises: NoPlan (the difference is above `TOLERANCE`).
    """
    rows = hard_rows(signature, known)
    wanted = pipeline.predict_proba(as_inputs(rows, signature))[:, 1].tolist()
    ready = runner(plan)
    together, alone = ready.probabilities(rows), map(ready.probability, rows)
    worst: float = max(
        max(abs(right - one), abs(right - other))
        for right, one, other in zip(wanted, together, alone, strict=True)
    )
    if not worst <= TOLERANCE:
        raise NoPlan(f"the plan differs from the pipeline by up to {worst:.1g}")
    return worst


def hard_rows(signature: dict[str, Any], known: Sequence[Any], *, seed: int = 0) -> list[Any]:
    """Return `ROWS` rows: known ones, and known ones with odd values in them."""
    draw = random.Random(seed)  # noqa: S311 (test rows, no secret)
    if signature["task"] == "text":
        return [_odd_text(draw, known) for _ in range(ROWS)]
    features = signature["input"]["features"]
    return [_odd_row(draw, features, known) for _ in range(ROWS)]


def _odd_text(draw: random.Random, known: Sequence[str]) -> str:
    text = draw.choice(known)
    turn = draw.randrange(6)
    if turn == 0:
        return draw.choice(ODD_TEXTS)
    if turn == 1:
        return f"{text} {draw.choice(ODD_TEXTS)} {draw.choice(known)}"
    if turn == 2:
        return text.upper() * draw.randrange(1, 4)
    if turn == 3:
        return "".join(draw.sample(text, len(text)))
    return text


def _odd_row(
    draw: random.Random, features: Sequence[dict[str, Any]], known: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    row = dict(draw.choice(known))
    for feature in features:
        if draw.random() < 0.25:
            row[feature["name"]] = _odd_value(draw, feature, known)
    return row


def _odd_value(
    draw: random.Random, feature: dict[str, Any], known: Sequence[dict[str, Any]]
) -> Any:  # noqa: ANN401
    other = draw.choice(known)[feature["name"]]
    turn = draw.randrange(4)
    if turn == 0:
        return None
    if turn == 1:
        return other
    if feature["type"] == "numeric":
        return draw.choice(EXTREME) if turn == 2 else (other or 0.0) * (1 + 1e-7 * draw.random())
    return draw.choice(ODD_TEXTS)


def as_inputs(rows: Sequence[Any], signature: dict[str, Any]) -> Any:  # noqa: ANN401
    """Return the rows as the pipeline reads them: texts, or a frame."""
    if signature["task"] == "text":
        return list(rows)
    import pandas as pd

    kinds = {"numeric": "float64", "category": "object", "text": "object"}
    return pd.DataFrame(
        {
            feature["name"]: pd.Series(
                [row[feature["name"]] for row in rows], dtype=kinds[feature["type"]]
            )
            for feature in signature["input"]["features"]
        }
    )

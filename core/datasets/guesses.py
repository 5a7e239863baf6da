"""What a person who uploads a file probably means: the column to predict, the value to find."""

import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from core.datasets import uploads
from core.datasets.schema import Column
from core.datasets.values import category

TARGET_NAMES = frozenset({"label", "target", "class", "outcome", "y"})
FEW = 10
_YES = re.compile(
    "yes|y|true|t|1|ja|oui|si|positive|pos|spam|fraud|churn|churned|left|bad|default|malignant|"
    "disease|sick|abuse|toxic|attack|failure|fail|failed|faulty"
)
_NO = re.compile(
    "no|n|false|f|0|-1|nein|non|none|negative|neg|ham|ok|okay|good|normal|benign|healthy|legit|"
    "legitimate|stayed|passed|not .*"
)


def targets(described: Sequence[Column]) -> list[str]:
    """Return the columns that could be predicted, the likeliest first.

    Columns with two to 50 values: those called label or the like, then those with at most ten
    values, words before numbers, the last column before the first.
    """
    columns = [c for c in described if 2 <= c.distinct <= uploads.MOST_CLASSES]
    order = {column.name: place for place, column in enumerate(columns)}
    named = {c.name for c in columns if c.name.strip().lower() in TARGET_NAMES}
    columns.sort(
        key=lambda c: (c.name not in named, c.distinct > FEW, c.type == "numeric", -order[c.name])
    )
    return [column.name for column in columns]


def likely_positive(frame: pd.DataFrame, target: str) -> str | None:
    """Return the value that a person most likely wants found, or None where there is none.

    A word like yes, true, spam or fraud; else the rarer value. Never one like no or false, unless
    every value is.
    """
    counted = Counter(word for value in frame[target] if (word := category(value)) is not None)
    if not counted:
        return None
    said_yes = [word for word in counted if _YES.fullmatch(word.casefold())]
    not_no = [word for word in counted if not _NO.fullmatch(word.casefold())]
    return min(said_yes or not_no or list(counted), key=lambda word: (counted[word], word))

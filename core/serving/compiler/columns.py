"""The features step of a pipeline as columns of a plan."""

from collections.abc import Sequence
from typing import Any

from core.serving.compiler.reading import NoPlan, kind, need
from core.serving.plans.format import Category, Number, Text

Column = Number | Category | Text
TEXT_STEPS = ("TfidfVectorizer", "Words")


def columns_of(features: Any, signature: dict[str, Any]) -> tuple[list[Column], int]:  # noqa: ANN401
    """Return the columns and the number of slots. Raises: NoPlan."""
    if signature["task"] == "text":
        return [_text(features, None, 0)], len(features.vocabulary_)
    need(kind(features) == "ColumnTransformer", f"features are made by {kind(features)}")
    found: list[Column] = []
    first = 0
    for _name, step, chosen in features.transformers_:
        if len(_names(chosen)) and step != "drop":
            part, width = _part(step, _names(chosen), first)
            found += part
            first += width
    return found, first


def _names(chosen: Any) -> list[str]:  # noqa: ANN401
    return [chosen] if isinstance(chosen, str) else [str(name) for name in chosen]


def _part(step: Any, names: list[str], first: int) -> tuple[list[Column], int]:  # noqa: ANN401
    if kind(step) == "Pipeline":
        return _numbers(step, names, first)
    if kind(step) == "OneHotEncoder":
        return _categories(step, names, first)
    if kind(step) in TEXT_STEPS:
        need(len(names) == 1, "one text step reads several columns")
        return [_text(step, names[0], first)], len(step.vocabulary_)
    raise NoPlan(f"a column is read by {kind(step)}")


def _numbers(steps: Any, names: Sequence[str], first: int) -> tuple[list[Column], int]:  # noqa: ANN401
    parts = [step for _name, step in steps.steps]
    need([kind(part) for part in parts] == ["SimpleImputer", "StandardScaler"], "other numbers")
    imputer, scaler = parts
    means, scales = scaler.mean_.tolist(), scaler.scale_.tolist()
    flagged = imputer.indicator_.features_.tolist() if imputer.add_indicator else []
    found: list[Column] = []
    for place, name in enumerate(names):
        extra: dict[str, Any] = {}
        if place in flagged:
            own = len(names) + flagged.index(place)
            extra = {
                "flag": first + own,
                "absent": (1.0 - means[own]) / scales[own],
                "present": (0.0 - means[own]) / scales[own],
            }
        fill = float(imputer.statistics_[place])
        number = Number(name, first + place, fill, means[place], scales[place], **extra)
        found.append(number)
    return found, len(names) + len(flagged)


def _categories(step: Any, names: Sequence[str], first: int) -> tuple[list[Column], int]:  # noqa: ANN401
    need(step.drop_idx_ is None, "a category is dropped")
    found: list[Column] = []
    place = first
    infrequent = getattr(step, "infrequent_categories_", None) or [None] * len(names)
    for name, values, rare in zip(names, step.categories_, infrequent, strict=True):
        slots, unknown, width = _one_hot(list(values), rare, place)
        missing = slots.pop(None, unknown)
        found.append(Category(name, {str(v): s for v, s in slots.items()}, unknown, missing))
        place += width
    return found, place - first


def _one_hot(values: list[Any], rare: Any, first: int) -> tuple[dict[Any, int], int, int]:  # noqa: ANN401
    """Return value → slot, the slot of unknown values (the rare ones', or -1), and the width."""
    together = set(rare.tolist()) if rare is not None else set()
    own = [value for value in values if value not in together]
    slots = {value: first + place for place, value in enumerate(own)}
    if not together:
        return slots, -1, len(own)
    unknown = first + len(own)
    return slots | dict.fromkeys(together, unknown), unknown, len(own) + 1


def _text(step: Any, name: str | None, first: int) -> Text:  # noqa: ANN401
    need(kind(step) in TEXT_STEPS, f"texts are read by {kind(step)}")
    need(step.analyzer == "word" and step.stop_words is None, "another analyzer")
    need(step.preprocessor is None and step.tokenizer is None, "a tokenizer of its own")
    need(step.strip_accents in ("unicode", None) and not step.binary, "another preprocessing")
    need(step.norm in ("l2", None) and step.use_idf, "another weighting")
    idf = step.idf_.tolist()
    slots = {term: first + int(place) for term, place in step.vocabulary_.items()}
    return Text(
        name=name,
        lowercase=bool(step.lowercase),
        strip_accents=step.strip_accents == "unicode",
        pattern=step.token_pattern,
        shortest=step.ngram_range[0],
        longest=step.ngram_range[1],
        slots=slots,
        idf={slot: idf[slot - first] for slot in slots.values()},
        sublinear=bool(step.sublinear_tf),
        normed=step.norm == "l2",
    )

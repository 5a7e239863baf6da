"""A pipeline that was trained elsewhere: opened from a file, and held to what a spec promises.

Nothing of the file is run before its types were held against the list that we trust.
"""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from core.datasets import schema
from core.errors import InvalidInputError, TooLargeError
from core.serving import artifacts
from core.specs import ModelSpec

MOST_BYTES = 500 << 20
MOST_UNPACKED = 2 << 30
MOST_PARTS = 10_000
_TRIED, _ALONE = 200, 20
_SAVE = "save it with skops.io.dump(pipeline, 'model.skops')"
_PICKLES = (b"\x80", b"\x78", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x04\x22\x4d\x18")

Floats = NDArray[np.float64]


def opened(content: bytes) -> Any:  # noqa: ANN401 (scikit-learn)
    """Return the fitted classifier in a skops file.

    Raises: InvalidInputError (no skops file, types that are not trusted, another scikit-learn,
    no classifier with probabilities), TooLargeError.
    """
    _check_form(content)
    _check_types(content)
    _check_release(content)
    pipeline = _loaded(content)
    _check_kind(pipeline)
    return pipeline


def _check_form(content: bytes) -> None:
    if len(content) > MOST_BYTES:
        raise TooLargeError(f"A model file has at most {MOST_BYTES >> 20:,} MB.")
    if content.startswith(_PICKLES):
        raise InvalidInputError(
            f"This looks like a pickle or joblib file, which may run code when opened; {_SAVE}."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except zipfile.BadZipFile as error:
        raise InvalidInputError(f"This is no skops file; {_SAVE}.") from error
    if "schema.json" not in {part.filename for part in parts}:
        raise InvalidInputError(f"This is a zip archive but no skops file; {_SAVE}.")
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
        raise TooLargeError("The model file unpacks to more than this installation opens.")


def _check_types(content: bytes) -> None:
    import skops.io

    try:
        found = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # a damaged schema may break skops in any way; nothing was run
        raise InvalidInputError(f"The skops file is damaged: {type(error).__name__}.") from error
    foreign = sorted(set(found) - set(artifacts.TRUSTED_FROM_ELSEWHERE))
    if ours := [name for name in foreign if name.startswith("core.serving.")]:
        raise InvalidInputError(
            f"The file holds {ours[0].rpartition('.')[2]}, which only Pilothouse's own trainings "
            "and signed exports may hold; train it here, or import a signed export."
        )
    if foreign:
        more = f" and {len(foreign) - 5} more" if len(foreign) > 5 else ""
        raise InvalidInputError(
            f"The file holds types that are not trusted: {', '.join(foreign[:5])}{more}. "
            "A pipeline is made of scikit-learn's own steps."
        )


def _check_release(content: bytes) -> None:
    import sklearn

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = set(_releases(json.loads(archive.read("schema.json"))))
    here = str(sklearn.__version__)
    if other := sorted(one for one in found if one.split(".")[:2] != here.split(".")[:2]):
        raise InvalidInputError(
            f"The model was fitted with scikit-learn {other[0]}, and {here} runs here: fit it "
            f"again with scikit-learn {here}, for another one may answer differently."
        )


def _releases(node: object) -> Iterator[str]:
    """Yield every scikit-learn release that a skops schema names."""
    if isinstance(node, list):
        for inner in node:
            yield from _releases(inner)
    if isinstance(node, dict):
        named = node.get("_sklearn_version")
        if isinstance(named, dict) and isinstance(named.get("content"), str):
            yield named["content"].strip('"')
        for inner in node.values():
            yield from _releases(inner)


def _loaded(content: bytes) -> Any:  # noqa: ANN401 (scikit-learn)
    import skops.io

    try:
        return skops.io.loads(content, trusted=list(artifacts.TRUSTED_FROM_ELSEWHERE))
    except Exception as error:  # whatever a foreign file makes of trusted types
        raise InvalidInputError(
            f"The skops file cannot be opened here: {type(error).__name__}: {_short(error)}"
        ) from error


def _check_kind(pipeline: Any) -> None:  # noqa: ANN401
    from sklearn.base import is_regressor

    last = pipeline.steps[-1][1] if getattr(pipeline, "steps", None) else pipeline
    name = type(last).__name__
    if is_regressor(pipeline):
        raise InvalidInputError(f"A {name} answers with numbers; a classifier is needed.")
    if not hasattr(pipeline, "predict_proba"):
        raise InvalidInputError(
            f"A {name} has no predict_proba; wrap it in CalibratedClassifierCV before fitting."
        )
    if not hasattr(pipeline, "classes_"):
        raise InvalidInputError(f"The {name} is not fitted.")


def check(pipeline: Any, spec: ModelSpec, rows: pd.DataFrame) -> None:  # noqa: ANN401
    """Hold a classifier against what the spec promises, on some conformed `rows`.

    Raises: InvalidInputError (labels, inputs, probabilities, or what is missing does not fit).
    """
    known = [str(label) for label in pipeline.classes_]
    if sorted(known) != spec.labels:
        raise InvalidInputError(
            f"The model answers {' and '.join(known[:5])}, the spec wants "
            f"{' and '.join(spec.labels)}: fit it on the spec's labels."
        )
    some = rows.head(_TRIED).reset_index(drop=True)
    together = probabilities(pipeline, schema.inputs(some, spec), spec)
    alone = np.vstack(
        [
            probabilities(pipeline, schema.inputs(some.iloc[[place]], spec), spec)
            for place in range(min(_ALONE, len(some)))
        ]
    )
    if not np.allclose(together[: len(alone)], alone, rtol=0, atol=1e-9):
        raise InvalidInputError(
            "The model answers a row differently alone than among others; each row must count "
            "for itself."
        )
    _check_missing(pipeline, spec, some)
    _check_spelling(pipeline, spec, some)


def _check_spelling(pipeline: Any, spec: ModelSpec, some: pd.DataFrame) -> None:  # noqa: ANN401
    """Refuse a model that knows its categories as numbers: to it, every one here is unknown."""
    names = [feature.name for feature in spec.input.features if feature.type == "category"]
    numbers = some.copy()
    for name in names:
        numbers[name] = pd.to_numeric(some[name], errors="coerce")
    if not names:
        return
    strange = some.assign(**dict.fromkeys(names, "never seen zq"))
    known = probabilities(pipeline, schema.inputs(some, spec), spec)
    if not np.array_equal(known, probabilities(pipeline, schema.inputs(strange, spec), spec)):
        return
    try:
        said = np.asarray(pipeline.predict_proba(schema.inputs(numbers, spec)), dtype=float)
    except Exception:  # noqa: BLE001, a model that reads no numbers there is not the one meant
        return
    if not np.array_equal(said, known):
        raise InvalidInputError(
            f"The model was fitted on numbers in {', '.join(names[:5])}; here categories are texts "
            "('1', not 1.0), so it would know none of them: fit it on text, for example with "
            "frame[column].map(lambda value: f'{value:g}')."
        )


def _check_missing(pipeline: Any, spec: ModelSpec, some: pd.DataFrame) -> None:  # noqa: ANN401
    if spec.input.text:
        probabilities(pipeline, ["zq"], spec, where="on a text without a known word")
        return
    strange, empty = some.head(1).copy(), some.head(1).copy()
    for feature in spec.input.features:
        numeric = feature.type == "numeric"
        blank = np.nan if numeric else None
        text = feature.type == "text"
        empty[feature.name] = pd.Series(
            ["" if text else blank], dtype="float64" if numeric else "object"
        )
        if feature.type == "category":
            strange[feature.name] = pd.Series(["never seen zq"], dtype="object")
    where = "on a category that it has not learnt (OneHotEncoder takes handle_unknown='ignore')"
    probabilities(pipeline, schema.inputs(strange, spec), spec, where=where)
    where = "on a row where everything is missing (a client may leave features out)"
    probabilities(pipeline, schema.inputs(empty, spec), spec, where=where)


def probabilities(
    pipeline: Any,  # noqa: ANN401
    inputs: list[str] | pd.DataFrame,
    spec: ModelSpec,
    *,
    where: str = "",
) -> Floats:
    """Return what the model answers, shape (rows, 2). Raises: InvalidInputError (not usable)."""
    reads = "texts" if spec.input.text else f"the columns {', '.join(spec.columns[:10])}"
    try:
        said = np.asarray(pipeline.predict_proba(inputs), dtype=float)
    except Exception as error:  # whatever a foreign model makes of the spec's inputs
        raise InvalidInputError(
            f"The model fails {where or f'on the inputs of the spec ({reads})'}: "
            f"{type(error).__name__}: {_short(error)}"
        ) from error
    if said.shape != (len(inputs), 2):
        raise InvalidInputError("The model does not answer two probabilities for each row.")
    if not np.isfinite(said).all() or (said < 0).any() or (said > 1).any():
        raise InvalidInputError("The model answers what is no probability between 0 and 1.")
    if not np.allclose(said.sum(axis=1), 1, rtol=0, atol=1e-6):
        raise InvalidInputError("The model's two probabilities do not add up to 1.")
    return said


def _short(error: Exception) -> str:
    words = " ".join(str(error).split())
    return (words if len(words) <= 300 else f"{words[:300]}…").rstrip(".") + "."

"""Model files: kept under the SHA-256 of their bytes, which is checked before they are opened."""

import hashlib
import importlib
import io
import json
import os
import re
import secrets
import sys
import zipfile
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.settings import Settings

TRUSTED = (
    "core.serving.boosted.LightGBM",
    "core.serving.boosted.XGBoost",
    "core.serving.onnx_text.OnnxText",
    "core.serving.words.Words",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types beyond skops' own list that a file may hold. A constant: never read from the file."""

TRUSTED_FROM_ELSEWHERE = tuple(name for name in TRUSTED if not name.startswith("core.serving."))
"""Our own types hand what the file holds to parsers of other libraries: not from just anybody."""

_ADDRESS = "_stop_words_id"  # where scikit-learn remembers a place in memory, to check only once
_WITH_TORCH = "sklearn.externals.array_api_compat.torch"
PLAN = ".plan"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def path(settings: Settings, digest: str, suffix: str = ".skops") -> Path:
    """Return where the file with this digest lies. Raises: InvalidInputError (no digest)."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidInputError("an artifact is named by its SHA-256, 64 hexadecimal digits")
    return settings.folder("artifacts") / f"{digest}{suffix}"


def save(settings: Settings, pipeline: Any) -> str:  # noqa: ANN401 (scikit-learn)
    """Keep a fitted pipeline, at once or not at all, and return its digest.

    The same pipeline has the same digest on every run.

    Raises: InvalidInputError (it holds a type that is not trusted, and could not be loaded).
    """
    content = _canonical(_skops().dumps(pipeline))
    _parse(content)
    return _kept(settings, content, ".skops")


def save_plan(settings: Settings, content: bytes) -> str:
    """Keep a compiled plan, at once or not at all, and return its digest."""
    return _kept(settings, content, PLAN)


def _kept(settings: Settings, content: bytes, suffix: str) -> str:
    digest = hashlib.sha256(content).hexdigest()
    target = path(settings, digest, suffix)
    if not target.exists():
        fresh = target.with_name(f".{secrets.token_hex(8)}.part")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    return digest


def _canonical(content: bytes) -> bytes:
    """Return a skops file without what differs between runs: addresses, random names, times."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts.pop("schema.json"))
    names = {name: _named(name, part) for name, part in parts.items()}
    _rename(schema, names, count())
    renamed = {names[name]: part for name, part in parts.items()}
    fixed = io.BytesIO()
    with zipfile.ZipFile(fixed, "w") as archive:
        for name, part in sorted(renamed.items()):
            archive.writestr(_entry(name), part)
        archive.writestr(_entry("schema.json"), json.dumps(schema))
    return fixed.getvalue()


def _named(name: str, part: bytes) -> str:
    return f"{hashlib.sha256(part).hexdigest()}{Path(name).suffix}"


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _rename(node: Any, names: Mapping[str, str], numbers: Iterator[int]) -> None:  # noqa: ANN401
    """Number the objects of a schema in order and name its parts by what they hold, in place."""
    if isinstance(node, list):
        for inner in node:
            _rename(inner, names, numbers)
    if not isinstance(node, dict):
        return
    if "__loader__" in node:
        node["__id__"] = next(numbers)
        if node.get("file") in names:
            node["file"] = names[node["file"]]
    for key, inner in node.items():
        if key == _ADDRESS and isinstance(inner, dict):
            inner["content"] = "0"
        _rename(inner, names, numbers)


def load(settings: Settings, digest: str) -> Any:  # noqa: ANN401 (scikit-learn)
    """Return the pipeline with this digest.

    Raises: NotFoundError (no such file), ConflictError (its bytes are not those that were kept),
    InvalidInputError (it holds a type that is not trusted).
    """
    return _parse(_checked(settings, digest, ".skops"))


def load_plan(settings: Settings, digest: str) -> bytes:
    """Return a compiled plan. Raises: NotFoundError, ConflictError, as `load`."""
    return _checked(settings, digest, PLAN)


def _checked(settings: Settings, digest: str, suffix: str) -> bytes:
    """Return the bytes of a file, which are those that were kept."""
    file = path(settings, digest, suffix)
    if not file.is_file():
        raise NotFoundError(
            f"the model file {digest[:12]} is not in the data folder: every api needs artifacts/ "
            "of the machine that registered the model, as a shared volume or a copy"
        )
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ConflictError(f"the model file {digest[:12]} was changed or cut; it is not loaded")
    return content


def _parse(content: bytes) -> Any:  # noqa: ANN401 (scikit-learn)
    skops = _skops()
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.loads(content, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise InvalidInputError(
            f"the model file holds types that are not trusted: {error}"
        ) from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InvalidInputError("the model file is no skops file") from error


def _skops() -> Any:  # noqa: ANN401 (the module)
    """Import skops without torch.

    It imports every module of scikit-learn to list what may be trusted; one of them imports torch
    where that is installed: 190 MB and 1.5 s of processor time for nothing.
    """
    if _WITH_TORCH in sys.modules or "skops.io" in sys.modules:
        return importlib.import_module("skops.io")
    sys.modules[_WITH_TORCH] = None  # type: ignore[assignment]  # "there is no such module"
    try:
        return importlib.import_module("skops.io")
    finally:
        del sys.modules[_WITH_TORCH]

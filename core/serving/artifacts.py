"""Model files: kept under the SHA-256 of their bytes, which is checked before they are opened."""

import hashlib
import os
import re
import secrets
import zipfile
from pathlib import Path
from typing import Any

from core.errors import ConflictError, InvalidInputError, NotFoundError
from core.settings import Settings

TRUSTED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types beyond skops' own list that a file may hold. A constant: never read from the file."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def path(settings: Settings, digest: str) -> Path:
    """Return where the file with this digest lies. Raises: InvalidInputError (no digest)."""
    if not _DIGEST.fullmatch(digest):
        raise InvalidInputError("an artifact is named by its SHA-256, 64 hexadecimal digits")
    return settings.folder("artifacts") / f"{digest}.skops"


def save(settings: Settings, pipeline: Any) -> str:  # noqa: ANN401 (scikit-learn)
    """Keep a fitted pipeline, at once or not at all, and return its digest.

    Raises: InvalidInputError (it holds a type that is not trusted, and could not be loaded).
    """
    import skops.io

    content = skops.io.dumps(pipeline, compression=zipfile.ZIP_DEFLATED)
    _parse(content)
    digest = hashlib.sha256(content).hexdigest()
    target = path(settings, digest)
    if not target.exists():
        fresh = target.with_name(f".{secrets.token_hex(8)}.part")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    return digest


def load(settings: Settings, digest: str) -> Any:  # noqa: ANN401 (scikit-learn)
    """Return the pipeline with this digest.

    Raises: NotFoundError (no such file), ConflictError (its bytes are not those that were kept),
    InvalidInputError (it holds a type that is not trusted).
    """
    file = path(settings, digest)
    if not file.is_file():
        raise NotFoundError(f"the model file {digest[:12]} is not in the data folder")
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ConflictError(f"the model file {digest[:12]} was changed or cut; it is not loaded")
    return _parse(content)


def _parse(content: bytes) -> Any:  # noqa: ANN401 (scikit-learn)
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.loads(content, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise InvalidInputError(
            f"the model file holds types that are not trusted: {error}"
        ) from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise InvalidInputError("the model file is no skops file") from error

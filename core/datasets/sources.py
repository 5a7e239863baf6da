"""Where a model's rows come from: the data folder, the web, or built in, in this order."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from core.clock import monotonic
from core.datasets import generator, schema, uploads
from core.errors import InvalidInputError, TooLargeError
from core.settings import Settings
from core.specs import ModelSpec, Source

MOST_BYTES = 200 << 20
CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS = 3.0, 10.0, 30.0


@dataclass(frozen=True)
class Loaded:
    """Rows, and a sentence that says plainly where they came from."""

    frame: pd.DataFrame
    sentence: str


class _Away(Exception):
    """Why one source cannot be used; the next one is tried."""


def read(spec: ModelSpec, settings: Settings) -> Loaded:
    """Return the rows of the first source that answers; the sentence names what did not.

    Raises: InvalidInputError (none answers; the sentence says why and what to do).
    """
    reasons: list[str] = []
    attempts: list[tuple[object, Callable[[ModelSpec, Settings, list[str]], Loaded]]] = [
        (spec.source.path, _from_folder),
        (spec.source.download, _from_web),
        (spec.source.builtin, _built_in),
    ]
    for configured, attempt in attempts:
        if configured is None:
            continue
        try:
            return attempt(spec, settings, reasons)
        except _Away as away:
            reasons.append(str(away))
    if not reasons:
        raise InvalidInputError(f"The spec of {spec.name} names no source: upload a file for it.")
    raise InvalidInputError(
        f"No data for {spec.name}: {'; '.join(reasons)}. "
        "Set PILOTHOUSE_DATA_DIR to the folder that holds it, or upload a file."
    )


def _from_folder(spec: ModelSpec, settings: Settings, _reasons: list[str]) -> Loaded:
    path = Path(spec.source.path or "")
    if settings.data_dir is None:
        raise _Away("no PILOTHOUSE_DATA_DIR")
    folder = settings.data_dir.expanduser().resolve()
    file = (folder / path).resolve()
    if not file.is_relative_to(folder) or not file.is_file():
        raise _Away(f"{path} is not in the data folder")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise _Away(f"{path} is larger than {MOST_BYTES >> 20} MB")
        frame = _table(file.read_bytes(), spec.source)
    except OSError as error:
        raise _Away(f"{path} cannot be read ({error.strerror})") from error
    return Loaded(frame, f"{_count(frame, spec)} read from {path} in the data folder")


def _from_web(spec: ModelSpec, settings: Settings, reasons: list[str]) -> Loaded:
    download = spec.source.download
    assert download is not None  # noqa: S101, only called when configured
    kept = settings.folder("downloads") / download.sha256
    host = download.url.split("/")[2]
    if kept.is_file() and _sha256(kept.read_bytes()) == download.sha256:
        frame = _table(kept.read_bytes(), spec.source)
        return Loaded(frame, f"{_count(frame, spec)} downloaded from {host} before")
    if settings.offline:
        raise _Away("offline")
    content = _member(_fetch(download.url), download.member)
    if _sha256(content) != download.sha256:
        raise _Away(f"the file from {host} is not the expected one (checksum)")
    fresh = kept.with_suffix(".part")
    fresh.write_bytes(content)
    fresh.replace(kept)
    frame = _table(content, spec.source)
    why = f" ({'; '.join(reasons)})" if reasons else ""
    return Loaded(frame, f"{_count(frame, spec)} downloaded from {host}{why}, checksum verified")


def _fetch(url: str) -> bytes:
    """Download at most `MOST_BYTES` within `TOTAL_SECONDS`; redirects are not followed."""
    import httpx

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    started, chunks, size = monotonic(), [], 0
    try:
        with httpx.stream("GET", url, timeout=timeout) as response:
            if response.status_code != 200:
                raise _Away(f"the download answered {response.status_code}")
            for chunk in response.iter_bytes():
                chunks.append(chunk)
                size += len(chunk)
                if size > MOST_BYTES or monotonic() - started > TOTAL_SECONDS:
                    raise _Away("the download was too large or too slow")
    except (httpx.HTTPError, OSError) as error:
        raise _Away(f"the download failed ({type(error).__name__})") from error
    return b"".join(chunks)


def _member(archive: bytes, name: str) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            if file.getinfo(name).file_size > MOST_BYTES:
                raise _Away(f"{name} in the download is too large")
            return file.read(name)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _Away(f"the download holds no readable {name}") from error


def _built_in(spec: ModelSpec, _settings: Settings, reasons: list[str]) -> Loaded:
    why = f" ({', '.join(reasons)})" if reasons else ""
    if spec.source.builtin == "breast_cancer":
        frame = _breast_cancer(spec.target.column)
        return Loaded(frame, f"{_count(frame, spec)} of scikit-learn's breast cancer data{why}")
    drawn = generator.messages(spec.source.rows, seed=spec.seed)
    column = spec.input.text or "message"
    frame = pd.DataFrame(
        {column: [m.text for m in drawn], spec.target.column: [m.label for m in drawn]}
    )
    return Loaded(frame, f"{len(frame):,} generated {spec.source.noun}{why}: seeded, not real")


def _breast_cancer(target: str) -> pd.DataFrame:
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in data.feature_names]
    frame = pd.DataFrame(data.data, columns=names)
    return frame.assign(**{target: [str(data.target_names[code]) for code in data.target]})


def _table(content: bytes, source: Source) -> pd.DataFrame:
    """Parse a delimited text; numbers become numbers, the spec's missing words become missing.

    Raises: InvalidInputError (a header that no model can use), TooLargeError.
    """
    if not content.strip():
        raise _Away("the file is empty")
    try:
        frame = pd.read_csv(
            io.BytesIO(content),
            encoding="utf-8-sig",
            sep=source.separator,
            header=None,  # so that the parser refuses a line with more fields than the first
            quoting=csv.QUOTE_MINIMAL if source.quoted else csv.QUOTE_NONE,
            dtype=str,
            keep_default_na=False,
            na_values=list(source.missing),
            nrows=uploads.MOST_ROWS + 2,
        )
    except UnicodeDecodeError as error:
        raise _Away("the file is not UTF-8 text") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as error:
        raise _Away(f"the file is no table ({str(error).splitlines()[0][:80]})") from error
    frame = _named(frame, source)
    if frame.empty:
        raise _Away("the file is empty")
    if len(frame) > uploads.MOST_ROWS:
        raise TooLargeError(f"The file has more than {uploads.MOST_ROWS:,} rows: keep a sample.")
    return schema.typed(frame)


def _named(frame: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Name the columns by the spec, or by the first line, which is then no row."""
    if source.columns is None:
        names = ["" if pd.isna(name) else str(name).strip() for name in frame.iloc[0]]
        frame = frame.iloc[1:].reset_index(drop=True)
    else:
        names = list(source.columns)
    if frame.shape[1] != len(names):
        raise _Away(f"the file has {frame.shape[1]} columns where the spec names {len(names)}")
    uploads.check_names("The file", names)
    frame.columns = pd.Index(names)
    return frame


def _count(frame: pd.DataFrame, spec: ModelSpec) -> str:
    return f"{len(frame):,} {spec.source.noun}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

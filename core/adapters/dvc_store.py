"""DVC as the outside store of dataset versions: `dvc add`, `push` and `pull` through its library.

The working folder below the data folder can be lost with it: a name holds all that DVC needs to
find the copy again. Nothing is sent anywhere but to the remote.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from core.errors import InvalidInputError, NotFoundError, UnavailableError
from core.settings import Settings

_NAME = re.compile(r"dvc:(?P<md5>[0-9a-f]{32}):(?P<size>\d+):(?P<path>[0-9a-f]{64}\.parquet)")


class DvcStore:
    """Keeps copies in the DVC remote of the settings; see the port in `core.datasets.copies`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def push(self, file: Path) -> str:
        """Keep a copy; the name is ``dvc:MD5:SIZE:FILE``.

        Raises: InvalidInputError (no remote, no package), UnavailableError (it does not answer).
        """
        with self._repository() as repository:
            copy = Path(repository.root_dir) / file.name
            shutil.copyfile(file, copy)
            try:
                stage = repository.add(str(copy))[0]
                repository.push(targets=str(copy))
            finally:
                copy.unlink(missing_ok=True)
            found = stage.outs[0].hash_info
        return f"dvc:{found.value}:{file.stat().st_size}:{file.name}"

    def pull(self, name: str, file: Path) -> None:
        """Bring a copy back as `file`, at once or not at all.

        Raises: NotFoundError (the remote has none), InvalidInputError, UnavailableError.
        """
        known = _NAME.fullmatch(name)
        if known is None:
            raise InvalidInputError(f"{name[:200]} is not the name of a copy that DVC keeps")
        with self._repository() as repository:
            copy = Path(repository.root_dir) / known["path"]
            out = {"md5": known["md5"], "size": int(known["size"]), "hash": "md5"}
            described = yaml.safe_dump({"outs": [{**out, "path": copy.name}]})
            copy.with_name(f"{copy.name}.dvc").write_text(described, encoding="utf-8")
            repository.pull(targets=str(copy))
            if not copy.is_file():
                raise NotFoundError(f"the DVC remote has no copy {known['md5']}")
            fresh = file.with_name(f".{file.name}.part")
            shutil.copyfile(copy, fresh)
            fresh.replace(file)
            copy.unlink()

    @contextmanager
    def _repository(self) -> Iterator[Any]:
        """Open the working folder of DVC, made if it is missing."""
        if not self._settings.dvc_remote:
            raise InvalidInputError(
                "No DVC remote is set: name a folder or an address in PILOTHOUSE_DVC_REMOTE."
            )
        try:
            from dvc.exceptions import DvcException
            from dvc.repo import Repo
        except ImportError as error:
            raise InvalidInputError(
                "DVC is not installed: `.venv/bin/pip install -r requirements-dvc.txt`."
            ) from error
        root = self._settings.folder("dvc")
        if not (root / ".dvc").is_dir():
            Repo.init(str(root), no_scm=True).close()
        repository = Repo(str(root), config=self._config(root))
        try:
            yield repository
        except (DvcException, OSError) as error:
            words = " ".join(str(error).split())[:300]
            if "missing" in words.lower() or "checkout failed" in words.lower():
                raise NotFoundError(f"the DVC remote has no such copy: {words}") from error
            raise UnavailableError(f"the DVC remote does not answer: {words}") from error
        finally:
            repository.close()

    def _config(self, root: Path) -> dict[str, Any]:
        url = self._settings.dvc_remote
        place = url if "://" in url else str(Path(url).expanduser().absolute())
        return {
            "core": {
                "remote": "outside",
                "analytics": False,
                "check_update": False,
                "site_cache_dir": str(root / "site"),
            },
            "remote": {"outside": {"url": place}},
        }

"""Versions in MLflow's registry: our semantic versions as tags, what serves as aliases."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

from core.adapters.mlflow_store import MlflowStore
from core.errors import UnavailableError
from core.training.aliases import NAMES

if TYPE_CHECKING:
    from core.training.tracking import FinishedRun

OURS = "pilothouse."
VERSION = f"{OURS}version"
WAIT_SECONDS = 10


class MlflowRegistry(MlflowStore):
    """The registry beside the tracking server: a view of our releases for other tools."""

    def log(self, run: "FinishedRun") -> str | None:
        """Keep a run as `MlflowStore` does, and register its model under our version as a tag."""
        run_id = super().log(run)
        with self.answering():
            client = self.client()
            if run.version not in _numbers(client, run.model):
                _register(client, run.model, run.version)
        return run_id

    def point(self, model: str, aliases: Mapping[str, str], *, shown: Set[str]) -> frozenset[str]:
        """Let the aliases point as given; return the versions that no run shows, nor ever will.

        Raises: UnavailableError (also where a version of `shown` is not there yet: its alias stays
        as it is, the others have moved).
        """
        with self.answering():
            client = self.client()
            numbers = _numbers(client, model)
            for version in set(aliases.values()) - set(numbers):
                if number := _register(client, model, version):
                    numbers[version] = number
            missing = frozenset(aliases.values()) - set(numbers)
            _move(client, model, aliases, numbers, waiting=missing & shown)
        if late := sorted(missing & shown):
            raise UnavailableError(f"MLflow does not know {model} {', '.join(late)} yet")
        return missing


def _move(
    client: Any,  # noqa: ANN401
    model: str,
    aliases: Mapping[str, str],
    numbers: Mapping[str, str],
    *,
    waiting: Set[str],
) -> None:
    """Set the aliases of versions that are there; one that never will be points nowhere."""
    for name in NAMES:
        version = aliases.get(name, "")
        if version in numbers:
            client.set_registered_model_alias(model, name, numbers[version])
        elif numbers and version not in waiting:
            client.delete_registered_model_alias(model, name)


def _register(client: Any, model: str, version: str) -> str | None:  # noqa: ANN401
    """Register the model of the run that shows a version; return MLflow's number for it, if any."""
    run = _run_of(client, model, version)
    if run is None:
        return None
    _make_sure(client, model)
    made = client.create_model_version(
        model,
        source=f"{run.info.artifact_uri}/model",
        run_id=run.info.run_id,
        tags={name: value for name, value in run.data.tags.items() if name.startswith(OURS)},
        await_creation_for=WAIT_SECONDS,
    )
    return str(made.version)


def _run_of(client: Any, model: str, version: str) -> Any:  # noqa: ANN401
    if experiment := client.get_experiment_by_name(model):
        wanted = f"tags.`{VERSION}` = '{version}' and attributes.status = 'FINISHED'"
        if found := client.search_runs([experiment.experiment_id], wanted, max_results=1):
            return found[0]
    return None


def _make_sure(client: Any, model: str) -> None:  # noqa: ANN401
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _numbers(client: Any, model: str) -> dict[str, str]:  # noqa: ANN401
    """Return MLflow's number of each of our versions."""
    found: dict[str, str] = {}
    token = None
    while True:
        page = client.search_model_versions(f"name = '{model}'", page_token=token)
        found |= {one.tags[VERSION]: str(one.version) for one in page if VERSION in one.tags}
        token = page.token
        if not token:
            return found

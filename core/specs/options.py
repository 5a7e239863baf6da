"""What one training may do otherwise than its model's spec."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from core.errors import InvalidInputError
from core.specs.candidates import Part, Threshold
from core.specs.document import Metric, ModelSpec, Share

TRIALS = 20  # of a search that is asked for without a number


class Options(Part):
    """Options of one training; None leaves the spec's word.

    `trials` per candidate and `seconds` bound the search, 0 trials switch it off. `seed` is that of
    the fits; which rows are held out follows from the spec's.
    `auto_deploy_threshold` may only be stricter than the spec's: it is part of the gate.
    """

    trials: Annotated[int, Field(ge=0, le=1000)] | None = None
    seconds: Annotated[float, Field(gt=0, le=24 * 3600)] | None = None
    pruning: bool | None = None
    selection_metric: Metric | None = None
    folds: Annotated[int, Field(ge=2, le=10)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None
    threshold: Threshold | None = None
    auto_deploy_threshold: Share | None = None

    @field_validator("threshold", mode="before")
    @classmethod
    def _rule(cls, value: object) -> object:
        return {"by": value} if isinstance(value, str) else value


def asked(
    *, search: bool | None, auto_deploy_threshold: float | None, others: Mapping[str, Any]
) -> dict[str, Any]:
    """Return options as a client of the API names them; `others` have the last word.

    >>> asked(search=True, auto_deploy_threshold=None, others={"seconds": 60})
    {'trials': 20, 'seconds': 60}
    """
    found: dict[str, Any] = {} if search is None else {"trials": TRIALS if search else 0}
    if auto_deploy_threshold is not None:
        found["auto_deploy_threshold"] = auto_deploy_threshold
    return found | dict(others)


def checked(given: Mapping[str, Any], spec: ModelSpec) -> dict[str, Any]:
    """Return the options of a training as they are kept, ready for JSON.

    Raises: InvalidInputError (an option that nobody knows, or a value that cannot be).
    """
    try:
        parsed = Options.model_validate(dict(given))
    except ValidationError as error:
        raise InvalidInputError(_sentence(error)) from error
    floor, wanted = spec.gate.auto_deploy_threshold, parsed.auto_deploy_threshold
    if wanted is not None and floor is not None and wanted < floor:
        raise InvalidInputError(
            f"A training may be stricter than its model's auto_deploy_threshold of {floor:g}, "
            f"not laxer: {wanted:g}."
        )
    return parsed.model_dump(mode="json", exclude_none=True)


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"A training has no option {name}; it has {', '.join(Options.model_fields)}."
    return f"The option {name} cannot be used: {first['msg'].removeprefix('Value error, ')}."


def with_options(spec: ModelSpec, kept: Mapping[str, Any]) -> ModelSpec:
    """Return the spec as one training follows it."""
    given = Options.model_validate(dict(kept))
    search = _changed(given, "trials", "seconds", "pruning")
    plain = _changed(given, "selection_metric", "folds", "seed", "threshold")
    gate = _changed(given, "auto_deploy_threshold")
    return spec.model_copy(
        update={
            **plain,
            "search": spec.search.model_copy(update=search),
            "gate": spec.gate.model_copy(update=gate),
        }
    )


def _changed(given: Options, *names: str) -> dict[str, Any]:
    values = {name: getattr(given, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}

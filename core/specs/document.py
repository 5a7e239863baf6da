"""What a model spec may say, and reading it from YAML."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from core.errors import InvalidInputError, TooLargeError
from core.specs.alerts import RuleName, Severity
from core.specs.candidates import Candidate, Part, Search, Task, Threshold, check_candidates

MAX_CHARACTERS, MAX_DEPTH = 100_000, 50
DOWNLOAD_HOSTS = ("archive.ics.uci.edu",)  # a spec may not send us anywhere else
NAME = r"^[a-z][a-z0-9_]{0,62}$"
Metric = Literal["f1", "accuracy", "balanced_accuracy", "precision", "recall", "roc_auc", "brier"]
Share = Annotated[float, Field(gt=0, lt=1)]
Word = Annotated[str, Field(min_length=1, max_length=200)]


class Target(Part):
    """The column to predict. Any value but `positive` counts as `negative` where `rest` is set."""

    column: Word
    positive: Word
    negative: Word
    positive_above: float | None = None  # a numeric target: above this is positive
    rest: bool = False

    @model_validator(mode="after")
    def _two_labels(self) -> Self:
        if self.positive == self.negative:
            raise ValueError("positive and negative must be two different labels")
        return self


class Feature(Part):
    """One input column of a tabular model.

    `definition` names a feature that several models share, as ``name@version``: a column that is
    derived from others, or looked up by the entity's id when a request leaves it out.
    """

    name: Word
    type: Literal["numeric", "category", "text"]
    definition: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}@[1-9][0-9]{0,5}$")] | None = (
        None
    )


class Input(Part):
    """What the model reads: one text column, or up to 500 features."""

    text: Word | None = None
    features: tuple[Feature, ...] = Field((), max_length=500)
    entity: Word | None = None  # the column whose value a client sends as entity_id
    at: Word | None = None  # the column that says when a row was seen, for point-in-time joins

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.text is None) == (not self.features):
            raise ValueError("give either text or features")
        names = [feature.name for feature in self.features]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"feature {twice[0]} is named twice")
        return self


class Download(Part):
    """A zip archive on the web, the file inside it, and that file's SHA-256."""

    url: Annotated[str, Field(max_length=500)]
    member: Word
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("url")
    @classmethod
    def _known_host(cls, url: str) -> str:
        if not url.startswith(tuple(f"https://{host}/" for host in DOWNLOAD_HOSTS)):
            raise ValueError(f"downloads come from https://{DOWNLOAD_HOSTS[0]}/ only")
        return url


class Source(Part):
    """Where rows come from, in order of trial: a path in the data folder, the web, built in."""

    path: Word | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoted: bool = True
    columns: tuple[Word, ...] | None = None  # names, where the file has no header
    missing: tuple[str, ...] = ("",)
    download: Download | None = None
    builtin: Literal["messages", "breast_cancer"] | None = None
    rows: Annotated[int, Field(ge=100, le=100_000)] = 5_000  # of generated messages
    noun: Word = "rows"

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str | None) -> str | None:
        if path and (path.startswith(("/", "~")) or ".." in Path(path).parts):
            raise ValueError("a path stays inside the data folder: relative, without ..")
        return path


class Gate(Part):
    """When a new version may replace the one that serves."""

    rule: Literal["superiority", "non_inferiority"] = "superiority"
    required_improvement: Annotated[float, Field(ge=0, lt=1)] = 0.01
    margin: Share = 0.01
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    min_slice: Annotated[int, Field(ge=1)] = 300
    floor: Share = 0.93  # of a first version
    auto_deploy_threshold: Share | None = None  # accuracy below this is never promoted


class Monitoring(Part):
    """How a model is watched.

    A window is what was answered since the one before, at least `min_samples`; with `window_rows`
    or `window_minutes` it is cut at that size. `alpha` is how often one window may look drifted by
    chance; under .0002 it counts as that. `false_alarms_a_month` is the budget of the drift
    alarm over all checks together. `reference_rows` bounds the stored reference sample; with
    `season` "week" a window is compared with the same hours one week ago where these were answered.
    Labels older than `label_delay_hours` are complete (learned from the lags where left out).
    `slices` are features, each value of which is judged by itself.
    """

    min_samples: Annotated[int, Field(ge=20, le=100_000)] = 100
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    reference_rows: Annotated[int, Field(ge=50, le=5_000)] = 3_000
    window_rows: Annotated[int, Field(ge=20, le=1_000_000)] | None = None
    window_minutes: Annotated[float, Field(ge=1, le=7 * 24 * 60)] | None = None
    season: Literal["none", "week"] = "none"
    false_alarms_a_month: Annotated[float, Field(gt=0, le=100)] = 0.1
    label_delay_hours: Annotated[float, Field(gt=0, le=24 * 365)] | None = None
    slices: Annotated[tuple[Word, ...], Field(max_length=20)] = ()

    @model_validator(mode="before")
    @classmethod
    def _without_the_count_of_windows(cls, given: object) -> object:
        """Read specs from before the budget of false alarms: their `windows` means nothing now."""
        if isinstance(given, dict):
            return {name: value for name, value in given.items() if name != "windows"}
        return given


class AlertRule(Part):
    """What a spec changes of one alert rule, see `core/specs/alerts.py` for the defaults."""

    enabled: bool = True
    severity: Severity | None = None
    windows: Annotated[int, Field(ge=1, le=100)] | None = None  # in a row, until it fires
    min_samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class Policy(Part):
    """What the agent may conclude; `overrides` replaces single defaults of the policy by name."""

    accuracy_floor: Share = 0.93
    overrides: dict[str, bool | float | str] = Field(default_factory=dict)


class Validation(Part):
    """Below these bounds data is refused."""

    min_rows: Annotated[int, Field(ge=20)] = 200
    min_test_rows: Annotated[int, Field(ge=5)] = 40
    min_class_share: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    max_duplicate_share: Annotated[float, Field(ge=0, le=1)] = 0.5


class ModelSpec(Part):
    """Everything about one model."""

    name: Annotated[str, Field(pattern=NAME)]
    title: Word
    task: Task
    target: Target
    input: Input
    source: Source = Source()
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1, max_length=10)]
    selection_metric: Metric = "f1"
    test_share: Annotated[float, Field(ge=0.05, le=0.5)] = 0.2
    folds: Annotated[int, Field(ge=2, le=10)] = 5
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    search: Search = Search()
    threshold: Threshold = Threshold()
    validation: Validation = Validation()
    gate: Gate = Gate()
    monitoring: Monitoring = Monitoring()
    policy: Policy = Policy()
    alerts: dict[RuleName, AlertRule] = Field(default_factory=dict)

    @property
    def positive(self) -> str:
        """The label whose probability is logged."""
        return self.target.positive

    @property
    def labels(self) -> list[str]:
        """Both labels in the order of scikit-learn's `classes_`."""
        return sorted((self.target.negative, self.target.positive))

    @property
    def columns(self) -> list[str]:
        """The input columns, without the target."""
        return [self.input.text] if self.input.text else [f.name for f in self.input.features]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.task == "text") != (self.input.text is not None):
            raise ValueError("a text model reads input.text, a tabular one input.features")
        if self.target.column in self.columns:
            raise ValueError(f"the target {self.target.column} cannot be an input too")
        check_candidates(self.task, self.candidates)
        return self


def candidates_from(spec: ModelSpec, chosen: list[Any] | None) -> tuple[Candidate, ...]:
    """Return the candidates of one run: the spec's, or kinds and ``{kind, parameters}`` chosen.

    Raises: InvalidInputError.
    """
    if chosen is None:
        return spec.candidates
    defaults: dict[str, Candidate] = {c.kind: c for c in spec.candidates}
    if not chosen:
        raise InvalidInputError("A training needs at least one candidate.")
    try:
        parsed = tuple(
            defaults.get(one) or Candidate.model_validate({"kind": one})
            if isinstance(one, str)
            else Candidate.model_validate(one)
            for one in chosen
        )
        check_candidates(spec.task, parsed)
    except ValidationError as error:
        raise InvalidInputError(sentence(error, "candidates")) from error
    except ValueError as error:
        raise InvalidInputError(f"These candidates cannot be used: {error}.") from error
    return parsed


def canonical(name: str) -> str:
    """Return the one spelling of a model's name.

    >>> canonical(" SMS-spam ")
    'sms_spam'
    """
    return name.strip().lower().replace("-", "_").replace(" ", "_")


@lru_cache(maxsize=128)
def parse(text: str) -> ModelSpec:
    """Read a spec. Raises: InvalidInputError (a sentence that names the field), TooLargeError."""
    if len(text) > MAX_CHARACTERS:
        raise TooLargeError(f"A spec has at most {MAX_CHARACTERS:,} characters.")
    if _depth(text) > MAX_DEPTH:  # reading it would take seconds before it fails
        raise InvalidInputError("The spec is not valid YAML: it is nested too deeply.")
    try:
        content = yaml.load(text, _Loader)  # noqa: S506, a safe loader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidInputError(f"The spec is not valid YAML: {_where(error)}.") from error
    if not isinstance(content, dict):
        raise InvalidInputError("A spec is a YAML mapping that starts with `name:`.")
    if isinstance(content.get("name"), str):
        content["name"] = canonical(content["name"])
    try:
        return ModelSpec.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError(sentence(error, "spec")) from error


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, where YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _value in node.value]
        twice = [str(key) for position, key in enumerate(keys) if key in keys[:position]]
        if twice:
            raise yaml.YAMLError(f"the field {twice[0]} is given twice")
        return super().construct_mapping(node, deep)


def _depth(text: str) -> int:
    """Return how deep brackets nest, quoted ones included."""
    deepest = depth = 0
    for mark in text:
        if mark in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "]}":
            depth -= 1
    return deepest


def _where(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    mark = getattr(error, "problem_mark", None)
    words = str(getattr(error, "problem", None) or error).rstrip(".")
    return f"{words} (line {mark.line + 1})" if mark else words


def sentence(error: ValidationError, what: str) -> str:
    """Say the first problem, by the field's full name and without echoing long input."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or what
    if first["type"] == "extra_forbidden":
        return f"The {what} has an unknown field: {field}."
    if first["type"] == "missing":
        return f"The {what} lacks the field {field}."
    return f"The {what}'s {field} cannot be used: {first['msg'].removeprefix('Value error, ')}."

"""Which algorithms a spec may try, with which parameters, and how they are searched."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Task = Literal["text", "tabular"]
Kind = Literal[
    "logistic_regression",
    "complement_nb",
    "linear_svm",
    "random_forest",
    "gradient_boosting",
    "xgboost",
    "lightgbm",
    "deep_text",
]
Bounds = tuple[float, float]

PARAMETERS: dict[str, dict[str, Bounds]] = {
    "logistic_regression": {"C": (1e-4, 1e4)},
    "complement_nb": {"alpha": (1e-6, 100)},
    "linear_svm": {"C": (1e-4, 1e4)},
    "random_forest": {
        "n_estimators": (1, 500),
        "max_depth": (1, 200),
        "min_samples_leaf": (1, 1000),
    },
    "gradient_boosting": {
        "max_iter": (1, 1000),
        "learning_rate": (1e-3, 1),
        "max_leaf_nodes": (2, 255),
        "l2_regularization": (0, 1e4),
    },
    "xgboost": {
        "n_estimators": (1, 2000),
        "learning_rate": (1e-3, 1),
        "max_depth": (1, 16),
        "min_child_weight": (0, 1000),
        "subsample": (0.1, 1),
        "colsample_bytree": (0.1, 1),
        "reg_lambda": (0, 1e4),
    },
    "lightgbm": {
        "n_estimators": (1, 2000),
        "learning_rate": (1e-3, 1),
        "num_leaves": (2, 255),
        "min_child_samples": (1, 1000),
        "subsample": (0.1, 1),
        "colsample_bytree": (0.1, 1),
        "reg_lambda": (0, 1e4),
    },
    "deep_text": {
        "epochs": (1, 100),
        "embedding": (8, 512),
        "hidden": (8, 1024),
        "learning_rate": (1e-5, 1),
        "dropout": (0, 0.9),
    },
}
"""Candidate kind → parameter → smallest and largest value."""

WHOLE = frozenset(
    {
        "n_estimators",
        "max_depth",
        "min_samples_leaf",
        "max_iter",
        "max_leaf_nodes",
        "num_leaves",
        "min_child_samples",
        "epochs",
        "embedding",
        "hidden",
    }
)
"""Parameters that are whole numbers."""

FOR_ONE_TASK: dict[str, Task] = {
    "complement_nb": "text",
    "deep_text": "text",
    "gradient_boosting": "tabular",
}


class Part(BaseModel):
    """A part of a spec: frozen, and without fields that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Range(Part):
    """Where one parameter is searched: from `low` to `high`, evenly or by orders of magnitude."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must lie below high")
        if self.log and self.low <= 0:
            raise ValueError("a search by orders of magnitude starts above zero")
        return self


class Candidate(Part):
    """One algorithm to try, with the parameters that differ from our defaults.

    `space` narrows where a search looks; parameters without a range there keep their value.
    `calibration` learns on cross-validated rows how often the model is right when it says p.
    """

    kind: Kind
    parameters: dict[str, float | None] = Field(default_factory=dict)
    space: dict[str, Range] = Field(default_factory=dict)
    class_weight: Literal["none", "balanced"] = "none"
    calibration: Literal["none", "sigmoid", "isotonic"] = "none"
    device: Literal["cpu", "cuda"] = "cpu"

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        for name, value in self.parameters.items():
            low, high = self._bounds(name)
            if value is None and name != "max_depth":
                raise ValueError(f"{name} must be a number from {low:g} to {high:g}")
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must lie between {low:g} and {high:g}")
        for name, wanted in self.space.items():
            low, high = self._bounds(name)
            if wanted.low < low or wanted.high > high:
                raise ValueError(f"{name} is searched between {low:g} and {high:g}")
        return self

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.device != "cpu" and self.kind != "deep_text":
            raise ValueError(f"{self.kind} runs on the cpu; only deep_text knows a device")
        if self.class_weight != "none" and self.kind == "complement_nb":
            raise ValueError("complement_nb weighs the classes by itself")
        return self

    def _bounds(self, name: str) -> Bounds:
        known = PARAMETERS[self.kind]
        if name not in known:
            raise ValueError(f"{self.kind} has no parameter {name}; it has {', '.join(known)}")
        return known[name]


class Search(Part):
    """How long parameters are searched: `trials` per candidate, none for the given ones only."""

    trials: Annotated[int, Field(ge=0, le=1000)] = 0
    seconds: Annotated[float, Field(gt=0, le=24 * 3600)] = 600
    pruning: bool = True


class Threshold(Part):
    """From which probability on the answer is positive: even odds, or what serves `by` best.

    It is chosen on rows that the model did not learn from (out of fold). For `cost` the two
    mistakes have their price.
    """

    by: Literal["even", "f1", "accuracy", "balanced_accuracy", "cost"] = "even"
    false_positive: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    false_negative: Annotated[float, Field(gt=0, le=1e6)] = 1.0


def check_candidates(task: Task, candidates: tuple[Candidate, ...]) -> None:
    """Raise ValueError where a candidate cannot learn this task, or is named twice."""
    for candidate in candidates:
        if FOR_ONE_TASK.get(candidate.kind, task) != task:
            raise ValueError(f"{candidate.kind} cannot learn a {task} task")
    if len({c.model_dump_json() for c in candidates}) < len(candidates):
        raise ValueError("a candidate is named twice")

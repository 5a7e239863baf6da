"""From a fitted pipeline to a plan, or the reason why there is none."""

from collections.abc import Sequence
from typing import Any

from core.serving.compiler import likely, parity
from core.serving.compiler.columns import columns_of
from core.serving.compiler.heads import head_of
from core.serving.compiler.reading import NoPlan
from core.serving.plans import Plan, encode

__all__ = ["NoPlan", "attempt", "compile_pipeline"]


def attempt(
    pipeline: Any,  # noqa: ANN401 (scikit-learn)
    signature: dict[str, Any],
    known: Sequence[Any] = (),
) -> tuple[bytes | None, str]:
    """Return the plan that agrees with a pipeline, or None, and what is to be said of it.

    `known`: rows as clients send them, from which harder ones are made; without any they are made
    from what the plan itself says of its inputs.
    """
    try:
        plan = compile_pipeline(pipeline, signature)
        worst = parity.check(pipeline, plan, signature, known or likely.rows(plan, signature))
    except NoPlan as why:
        return None, f"scikit-learn: {why}"
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # a library may keep its fitted parts otherwise in another release
        return None, f"scikit-learn: {type(error).__name__} while compiling"
    words = f"a compiled plan, within {worst:.1g} of scikit-learn on {parity.ROWS:,} hard rows"
    return encode(plan), words


def compile_pipeline(pipeline: Any, signature: dict[str, Any]) -> Plan:  # noqa: ANN401
    """Return the plan of a fitted pipeline ``features → model``.

    It is not known to agree with the pipeline before `parity.check` has said so.
    Raises: NoPlan (a part that cannot be compiled, named).
    """
    steps = getattr(pipeline, "named_steps", {})
    if set(steps) != {"features", "model"}:
        raise NoPlan("the pipeline is not features and a model")
    columns, slots = columns_of(steps["features"], signature)
    scattered = signature["task"] == "text" or bool(steps["features"].sparse_output_)
    head, links = head_of(steps["model"], scattered=scattered)
    classes = [str(label) for label in pipeline.classes_]
    if len(classes) != 2:
        raise NoPlan(f"the model has {len(classes)} classes")
    return Plan((classes[0], classes[1]), slots, columns, head, links)

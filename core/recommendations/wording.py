"""What a kind of action is called, in words that stay true when a person changes its arguments."""

from collections.abc import Mapping
from typing import Any

from core.recommendations.kinds import EVERYWHERE

_TITLES = {
    "retrain": "Retrain {model}",
    "promote": "Release {model} {version}",
    "rollback": "Roll {model} back to {to}",
    "change_weights": "Give {model} {version} {share} of the traffic",
    "set_threshold": "Set the threshold of {model} to {threshold}",
    "start_experiment": "Start an experiment on {model}",
    "widen_experiment": "Let {share} of the traffic of {model} meet the new version",
    "stop_experiment": "Stop the experiment on {model}",
    "collect_labels": "Ask people for {rows} labels of {model}",
    "freeze": "Freeze changes of {model} for {hours} h",
    "silence": "Silence alerts about {cause} of {model} for {hours} h",
    "notify": "Tell the channels about {model}",
    "scale": "Run {replicas} API replicas",
    "change_policy": "Change the policy of {model} to version {version}",
    "change_gate": "Change the gate of {model}: {rule}, floor {floor}",
    "grant_autonomy": "Let the agent act alone on {model}: {kind}",
}

_BACK = {
    "close_request": "Close the request for labels of {model}",
    "end_freeze": "End the freeze of {model}",
    "end_silence": "Tell alerts of {model} again",
    "withdraw_autonomy": "Let people decide again on {model}: {kind}",
}
"""What only an undo does."""

_VERBS = {
    "promote": "release",
    "rollback": "roll back",
    "change_weights": "change the weights of",
    "set_threshold": "set the threshold of",
    "start_experiment": "start an experiment on",
    "widen_experiment": "widen an experiment on",
    "stop_experiment": "stop an experiment on",
    "collect_labels": "collect labels of",
    "silence": "silence alerts of",
    "notify": "tell the channels about",
    "change_policy": "change the policy of",
    "change_gate": "change the gate of",
    "grant_autonomy": "let the agent act alone on",
}


def verb(kind: str) -> str:
    """Say a kind as what one does to a model.

    >>> verb("promote"), verb("retrain")
    ('release', 'retrain')
    """
    return _VERBS.get(kind, kind.replace("_", " "))


def title(model: str, kind: str, arguments: Mapping[str, Any]) -> str:
    """Say in a short line what a proposal would do.

    >>> title("spam", "change_weights", {"version": "2.0.0", "share": "0.2"})
    'Give spam 2.0.0 20 % of the traffic'
    >>> title("*", "freeze", {"hours": "4"})
    'Freeze changes of all models for 4 h'
    """
    words = {name: _word(name, value) for name, value in arguments.items()}
    about = "all models" if model == EVERYWHERE else model
    if (kind, words.get("version")) == ("change_policy", "0"):
        return f"Take back the policy that was approved for {about}"
    known = _TITLES.get(kind) or _BACK.get(kind)
    if known is None:
        return f"{kind.replace('_', ' ').capitalize()} {about}"
    return known.format_map(_Given(words, model=about))


class _Given(dict[str, str]):
    """Arguments by name; one that is missing is a question mark."""

    def __missing__(self, name: str) -> str:
        return "?"


def _word(name: str, value: object) -> str:
    if name == "share":
        try:
            return f"{100 * float(str(value)):g} %"
        except ValueError:
            return str(value)
    return str(value).replace("_", " ") if name in ("kind", "cause", "rule") else str(value)

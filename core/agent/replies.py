"""The rules' answer to a person's question: what the facts say that its words name."""

import re
from collections.abc import Iterator

from core.agent.facts import Fact, FactBook
from core.agent.reasoners import Evidence, Question, Reply

MOST_FACTS = 5
CLOSE = 0.5
"""Facts that are named half as much as the one that is named most are told too."""
_WORD = re.compile(r"[a-z0-9]+")
_FILLERS = (
    "the a an is are was were be been do does did it its this that these those of on in at to for "
    "and or not no with from by as how what which who when where why if i we you me my our your "
    "can could should would will has have had there any some so than then about into over out up "
    "much many now still tell show say explain please more most less very too also just get model "
    "models last newest"
)
_COMMON = frozenset(_FILLERS.split())
_ALSO: dict[str, str] = {
    "accuracy": "accurate right correct wrong mistake quality performance label truth baseline",
    "drift": "drifted change input distribution differ shift window column",
    "text": "word term vocabulary message text language",
    "data_quality": "data missing broken empty null schema fresh duplicate",
    "service": "error fail latency slow fast request traffic load answer",
    "deployment": "release serve version rollback previous deploy earlier",
    "retrain": "training train retrain",
    "candidate": "candidate gate improvement better promote",
    "experiment": "experiment arm treatment control test",
    "pending_approval": "wait proposal pending inbox",
    "operator_note": "note freeze",
}
_CHANGED = frozenset(("chang", "sinc", "differ", "updat", "meanwhil"))
_REASON = re.compile(r"\b(?:why|reasons?|because|how come|what for|rests?)\b", re.IGNORECASE)
_EFFECT = re.compile(r"\b(?:happens?|effects?|consequences?|if i approve|outcome)\b", re.IGNORECASE)


def from_facts(question: Question) -> Reply:
    """Return what the facts say to a question; says so where none speaks to it.

    The same question about the same facts has the same answer. Strangers' words are not repeated.
    """
    asked = _stems(question.text)
    changed = list(_changes(question))
    parts = list(_about_it(question))
    facts = _named(question.book, asked - _CHANGED)
    if asked & _CHANGED and not facts:
        facts = [fact for fact, _then in changed[:MOST_FACTS]]
        parts.append(_changed_words(changed))
    elif facts:
        told = "; ".join(_told(fact, question.sealed) for fact in facts)
        parts.append(f"I can say what the facts say: {told}.")
    return Reply(
        " ".join(parts) or _nothing(question.book),
        tuple(Evidence(fact.id, fact.value) for fact in facts),
    )


def _about_it(question: Question) -> Iterator[str]:
    """Yield what was said of the proposal itself, where the question asks for it."""
    if _REASON.search(question.text) and question.sentences:
        yield f"The proposal rests on this: {' '.join(question.sentences)}"
    effect = str(question.about.get("effect") or "")
    if _EFFECT.search(question.text) and effect:
        yield f"Once it is carried out: {effect}"


def _named(book: FactBook, asked: frozenset[str]) -> list[Fact]:
    """Return the facts that the words name, those that most of them name first."""
    scored = [(_score(fact, asked), fact) for fact in book if fact.citable]
    enough = max((points for points, _fact in scored), default=0.0) * CLOSE
    best = sorted((one for one in scored if one[0] >= enough > 0), key=lambda one: -one[0])
    return [fact for _points, fact in best[:MOST_FACTS]]


def _score(fact: Fact, asked: frozenset[str]) -> float:
    """Words of the label count most, those of the whole group least."""
    own = _stems(f"{fact.label} {fact.id.replace('.', ' ').replace('_', ' ')}")
    group = _stems(_ALSO.get(fact.id.split(".")[0], ""))
    return 2.0 * len(asked & own) + 0.5 * len(asked & (group - own))


def _changes(question: Question) -> Iterator[tuple[Fact, Fact | None]]:
    """Yield each citable fact that is another one than when the proposal was made."""
    if question.sealed is None:
        return
    for fact in question.book:
        then = question.sealed.fact(fact.id)
        if fact.citable and (then is None or then.value != fact.value):
            yield fact, then


def _changed_words(changed: list[tuple[Fact, Fact | None]]) -> str:
    if not changed:
        return "No fact has changed since this was proposed."
    told = [
        f"{fact.label}: {_shown(fact.value)} now, "
        + (f"{_shown(then.value)} then" if then else "not known then")
        for fact, then in changed[:MOST_FACTS]
    ]
    more = len(changed) - len(told)
    rest = f" Beyond these, {more} more changed." if more else ""
    return f"Since this was proposed these facts have changed: {'; '.join(told)}.{rest}"


def _told(fact: Fact, sealed: FactBook | None) -> str:
    notes = []
    if fact.interval:
        notes.append(f"95 % interval {fact.interval[0]:g} to {fact.interval[1]:g}")
    if fact.n is not None:
        notes.append(f"n = {fact.n:,}")
    then = sealed.fact(fact.id) if sealed else None
    if then is not None and then.value != fact.value:
        notes.append(f"{_shown(then.value)} when this was proposed")
    return f"{fact.label}: {_shown(fact.value)}" + (f" ({', '.join(notes)})" if notes else "")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(_shown(one) for name, one in value.items() if name != "id")
    if isinstance(value, list):
        more = ["..."] if len(value) > MOST_FACTS else []
        return ", ".join([*map(_shown, value[:MOST_FACTS]), *more])
    return f"{value:g}" if isinstance(value, float) else str(value)


def _nothing(book: FactBook) -> str:
    groups = dict.fromkeys(fact.id.split(".")[0].replace("_", " ") for fact in book if fact.citable)
    known = ", ".join(groups) or "nothing yet"
    return f"No fact speaks to that. What is known is about: {known}."


def _stems(text: str) -> frozenset[str]:
    """Return the telling words of a text, cut so that "errors" meets "error".

    >>> sorted(_stems("Why did the errors change?"))
    ['chang', 'error']
    """
    words = (word for word in _WORD.findall(text.lower()) if word not in _COMMON)
    return frozenset(_stem(word) for word in words if len(word) > 1)


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "ied", "ies", "ed", "es", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word.removesuffix(ending)
    return word

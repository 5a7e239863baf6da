"""What a replay comes to: counts, and sentences that set them against what happened; pure."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median

from core.agent.replay.decision import Replayed

NEAR = timedelta(days=7)
"""Within this a proposal that only one of the two made may be the other's, earlier or later."""

OPEN_LOOP = (
    "Each decision is made on the facts as they were: what another action would have changed"
    " afterwards is not known."
)


@dataclass(frozen=True)
class Moved:
    """A proposal that would have come `hours` earlier (below zero) or later."""

    kind: str
    model: str
    at: str
    hours: float


@dataclass(frozen=True)
class Summary:
    """The counts of a replay; `more` and `fewer` are proposals by kind, without those `moved`.

    `followed_by` counts, of the proposals that it would add, those that an incident followed
    within a week, by its cause ("nothing": none did); `became` what became of those it would leave
    out. `instead` counts what it would decide instead of what; `same`: to the last word.
    """

    decisions: int = 0
    same: int = 0
    changed: int = 0
    instead: Mapping[str, int] = field(default_factory=dict)
    graver: int = 0
    milder: int = 0
    more: Mapping[str, int] = field(default_factory=dict)
    fewer: Mapping[str, int] = field(default_factory=dict)
    moved: Sequence[Moved] = ()
    followed_by: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    became: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    assumed: int = 0
    by_rules: int = 0
    sentences: Sequence[str] = ()


@dataclass(frozen=True)
class _Act:
    kind: str
    one: Replayed


def of(found: Sequence[Replayed]) -> Summary:
    """Count, pair what only came at another time, and say it in sentences."""
    changed = [one for one in found if one.changed]
    added = _acts(changed, added=True)
    dropped = _acts(changed, added=False)
    moved = _moved(added, dropped)
    counts = Summary(
        decisions=len(found),
        same=sum(one.same for one in found),
        changed=len(changed),
        instead=dict(Counter(_instead(one) for one in changed).most_common()),
        graver=sum(one.replayed.rank < one.live.rank for one in changed),
        milder=sum(one.replayed.rank > one.live.rank for one in changed),
        more=dict(Counter(act.kind for act in added)),
        fewer=dict(Counter(act.kind for act in dropped)),
        moved=moved,
        followed_by=_by_kind(added, _follower),
        became=_by_kind(dropped, _end),
        assumed=sum(one.assumed for one in found),
        by_rules=sum(one.by_rules for one in found),
    )
    return _worded(counts)


def _acts(changed: Sequence[Replayed], *, added: bool) -> list[_Act]:
    """Return the proposals that only the replay makes (`added`), or only the past."""
    found = []
    for one in changed:
        mine, theirs = (one.replayed, one.live) if added else (one.live, one.replayed)
        found += [_Act(kind, one) for kind in mine.kinds if kind not in theirs.kinds]
    return found


def _moved(added: list[_Act], dropped: list[_Act]) -> list[Moved]:
    """Take out of both what only came earlier or later, each with the nearest, and return it."""
    open_ones: dict[tuple[str, str], list[_Act]] = {}
    for act in added:
        open_ones.setdefault((act.kind, act.one.model), []).append(act)
    moved: list[Moved] = []
    paired: set[int] = set()
    for act in dropped:
        near = open_ones.get((act.kind, act.one.model), [])
        if (place := _nearest(near, act.one.at)) is not None:
            new = near.pop(place)
            paired |= {id(new), id(act)}
            moved.append(_shift(new, act.one.at))
    for acts in (added, dropped):
        acts[:] = [act for act in acts if id(act) not in paired]
    return moved


def _nearest(acts: list[_Act], at: datetime) -> int | None:
    """Return the place of the act that is nearest in time, and near enough."""
    after = bisect_left(acts, at, key=lambda act: act.one.at)
    near = [place for place in (after - 1, after) if 0 <= place < len(acts)]
    best = min(near, key=lambda place: abs(acts[place].one.at - at), default=None)
    return best if best is not None and abs(acts[best].one.at - at) <= NEAR else None


def _shift(new: _Act, was: datetime) -> Moved:
    hours = round((new.one.at - was) / timedelta(hours=1), 2)
    return Moved(new.kind, new.one.model, new.one.at.isoformat(), hours)


def _follower(act: _Act) -> str:
    return act.one.after.followed_by[0] if act.one.after.followed_by else "nothing"


def _end(act: _Act) -> str:
    after = act.one.after
    state = after.state or "not proposed"
    return f"{state}, graded {after.grade}" if after.grade else state


def _by_kind(acts: Iterable[_Act], word: Callable[[_Act], str]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for act in acts:
        found.setdefault(act.kind, Counter())[word(act)] += 1
    return {kind: dict(counts) for kind, counts in found.items()}


def _worded(told: Summary) -> Summary:
    if not told.decisions:
        return replace(told, sentences=("No decision was logged in this time.",))
    words = [_first(told)]
    words += [_added(kind, n, told.followed_by[kind]) for kind, n in told.more.items()]
    words += [_dropped(kind, n, told.became[kind]) for kind, n in told.fewer.items()]
    words += _shifted(told.moved)
    if told.by_rules:
        words.append(
            f"{_n(told.by_rules, 'decision')} would differ by rules that the product has changed"
            " since, not by thresholds: they are not counted."
        )
    if told.assumed:
        words.append(
            f"{_n(told.assumed, 'decision')} of a time in which the policy was not kept with"
            " decisions: what the spec said then is taken."
        )
    return replace(told, sentences=(*words, *((OPEN_LOOP,) if told.changed else ())))


def _first(told: Summary) -> str:
    if not told.changed:
        return f"{_n(told.decisions, 'decision')}: none would differ."
    parts = [f"{n:,} {words}" for words, n in list(told.instead.items())[:3]]
    parts += [f"{told.graver:,} graver"] if told.graver else []
    parts += [f"{told.milder:,} milder"] if told.milder else []
    return f"{_n(told.decisions, 'decision')}: {told.changed:,} would differ ({', '.join(parts)})."


def _instead(one: Replayed) -> str:
    was, now = one.live.decision, one.replayed.decision
    return f"{_plain(now)} instead of {_plain(was)}" if now != was else f"still {_plain(was)}"


def _added(kind: str, n: int, followed_by: Mapping[str, int]) -> str:
    parts = [
        f"{count:,} by nothing" if cause == "nothing" else f"{count:,} by an incident ({cause})"
        for cause, count in _ordered(followed_by)
    ]
    times = f"{_n(n, 'more time', 'more times')}, followed within 7 days {', '.join(parts)}"
    return f"It would propose to {_plain(kind)} {times}."


def _dropped(kind: str, n: int, became: Mapping[str, int]) -> str:
    parts = ", ".join(f"{count:,} {end}" for end, count in _ordered(became))
    return f"It would not propose to {_plain(kind)} {_n(n, 'time')} (what became of it: {parts})."


def _shifted(moved: Sequence[Moved]) -> list[str]:
    words = []
    for kind in dict.fromkeys(one.kind for one in moved):
        for sign, word in ((-1, "earlier"), (1, "later")):
            hours = [abs(m.hours) for m in moved if m.kind == kind and m.hours * sign > 0]
            if hours:
                by = f"{word}, by {median(hours):.1f} h at the median"
                words.append(f"It would propose to {_plain(kind)} {_n(len(hours), 'time')} {by}.")
    return words


def _ordered(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (item[0] == "nothing", -item[1], item[0]))


def _n(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _plain(kind: str) -> str:
    return kind.replace("_", " ")

"""Nothing acts alone unless every condition holds: an oracle that shares no code says when."""

import itertools
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from core import autonomy, specs
from core.access import Actor, Role, system
from core.chain import canonical
from core.ids import new_id
from core.recommendations import seal
from core.specs import Gate, gates
from core.tables.decisions import Autonomy, Note, Outcome, PolicyVersion
from core.tables.entities import ActionRow, Experiment, FactBook, Recommendation
from tests.core.autonomy.test_acting import SPEC

ALONE = {"retrain", "rollback", "stop_experiment", "collect_labels", "silence", "notify", "scale"}
RISKY = ["promote", "change_weights", "change_policy", "change_gate", "grant_autonomy"]
ARGUMENTS = {
    "rollback": {"to": "1.0.0"}, "stop_experiment": {"experiment_id": "e1"},
    "collect_labels": {"rows": "100"}, "silence": {"cause": "drift", "hours": "2"},
    "scale": {"replicas": "2"}, "promote": {"version": "1.0.0"},
    "change_weights": {"version": "1.0.0", "share": "0.5"}, "change_policy": {"version": "0"},
    "change_gate": gates.words(Gate()), "grant_autonomy": {"kind": "retrain"},
}  # fmt: skip
AGENT, PERSON = system("agent"), Actor("ana", Role.OPERATOR)
CASES = 200


class Undone(Exception):
    """Takes back what a case wrote."""


@dataclass
class World:
    """One random situation; most of it is as acting alone needs it."""

    kind: str = "rollback"
    leave: str | None = "granted"
    grades: list[tuple[str, str]] = field(default_factory=list)  # (grade, whose), oldest first
    freeze: tuple[str, int] | None = None  # (model, hours until its end)
    thresholds: dict[str, float] | None = None  # of an approved version
    stale_policy: bool = False
    decision: str = "rollback"
    verdict: str = "rollback"
    rule: str = "bad release"
    held: str = "fired"
    named: bool = True
    score: float | None = 0.6
    own: list[tuple[str, str, float]] = field(default_factory=list)  # (kind, origin, hours ago)
    actor: Actor = AGENT
    reasoner: str = "rules"
    edited: bool = False
    facts: bool = True
    state: str = "proposed"
    other_release: bool = False
    hours_left: int = 24
    tampered: bool = False


def situation(rng):
    """Draw a world; in most, one thing at most is not as acting alone needs it."""
    wrong = {rng.randrange(20)} if rng.random() < 0.7 else set(rng.sample(range(20), 3))
    places = itertools.count()

    def mostly(right, *others):
        return rng.choice(others) if next(places) in wrong else right

    kind = mostly(rng.choice([*sorted(ALONE), *["retrain"] * 10]), *RISKY)
    word = kind if kind in ("retrain", "rollback", "stop_experiment") else "log_only"
    n, whose = rng.choice((0, 3, 9, 10, 11, 12, 14)), ("person", "edited")
    kinds = ("good",) * 9 + ("neutral", "bad")
    grades = [(rng.choice(kinds), rng.choice(("product",) * 9 + whose)) for _ in range(n)]
    grades = mostly([("good", "product")] * rng.choice((11, 12)), grades)
    bars = {"autonomy_bar": (0.0, 0.5, 0.8, 0.9, 1.0), "autonomy_least": (0, 1, 10, 20)}
    drawn = {name: float(rng.choice(values)) for name, values in bars.items()}
    given = mostly({"autonomy_bar": 0.8, "autonomy_least": 10.0}, drawn)
    given = given | {"autonomy_a_day": float(mostly(2, 0, 1, 5))}
    decisions = ("request_approval", "escalate", "log_only", "retrain")
    names = (kind, rng.choice(sorted(ALONE)))
    origins = ("autonomy", "approval", "policy")
    used = [(rng.choice(names), rng.choice(origins), rng.uniform(0, 30)) for _ in range(3)]
    return World(
        kind=kind,
        leave=mostly("granted", None, "withdrawn"),
        grades=grades,
        freeze=mostly(None, ("spam", 2), ("*", 2), ("ham", 2), ("spam", -1)),
        thresholds=rng.choice((None, given, given)),
        stale_policy=mostly(False, True),
        decision=mostly(word, *decisions),
        verdict=mostly(word, *decisions),
        rule=rng.choice(("drift ladder",) * 4 + ("bad release",)),
        held=mostly("fired", "held", "passed over"),
        named=mostly(True, False),
        score=rng.choice((0.5, 0.6, 0.69) * 3 + (None, 0.49, 0.7, 0.95)),
        own=mostly([], used, used[:1], [(kind, "autonomy", 23.0)] * 2),
        actor=mostly(AGENT, PERSON),
        reasoner=mostly("rules", "person"),
        edited=mostly(False, True),
        facts=mostly(True, False),
        state=mostly("proposed", "approved", "rejected"),
        other_release=mostly(False, True),
        hours_left=mostly(24, 0, -1),
        tampered=mostly(False, True),
    )


def oracle(world):
    """Say by what the product may act, from the words of the rule and nothing of the product."""
    frozen = world.freeze is not None and world.freeze[0] in ("spam", "*") and world.freeze[1] > 0
    sound = (
        world.actor is AGENT and world.reasoner != "person" and not world.edited and world.facts
        and world.state == "proposed" and world.hours_left > 0 and not world.tampered
        and (world.kind in ("silence", "notify", "scale") or not world.other_release)
        and not frozen and world.held != "held" and world.named and not world.stale_policy
        and not {world.decision, world.verdict} & {"request_approval", "escalate"}
    )  # fmt: skip
    if not sound:
        return None
    all_retrain = world.kind == world.decision == world.verdict == "retrain"
    ladder = world.rule == "drift ladder" and world.score is not None
    if all_retrain and ladder and 0.5 <= world.score < 0.7 and world.thresholds is not None:
        return "policy"
    limits = world.thresholds or {
        "autonomy_bar": 0.8, "autonomy_least": 10, "autonomy_a_day": 2
    }  # fmt: skip
    streak = 0
    for grade, whose in world.grades:
        if whose == "product":
            streak = 0 if grade == "bad" else streak + (grade == "good")
    bound = streak / (streak + 1.6448536269514722**2)
    today = sum(1 for k, o, h in world.own if (k, o) == (world.kind, "autonomy") and h < 24)
    earned = (
        world.kind in ALONE and world.leave == "granted" and streak >= 1
        and streak >= limits["autonomy_least"] and bound >= limits["autonomy_bar"]
        and limits["autonomy_a_day"] >= 1 and today < limits["autonomy_a_day"]
    )  # fmt: skip
    return "autonomy" if earned else None


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """Each case is a transaction that is taken back: the file's kind decides nothing."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def settings(settings):
    told = {"scale_command": "scale {replicas}", "slack_webhook_url": SecretStr("http://127.0.0.1")}
    return settings.model_copy(update=told)


@pytest.fixture
def spam(db, release):
    specs.apply(db, system("bootstrap"), SPEC)
    release("spam", "1.0.0")


def test_nothing_acts_alone_unless_every_condition_holds(db, settings, spam):
    rng, seen = random.Random(20300101), Counter()
    for number in range(CASES):
        world = situation(rng)
        found = acted(db, settings, world, number)
        assert found == oracle(world), world
        seen[found] += 1
    assert min(seen[None], seen["autonomy"], seen["policy"]) >= 8, seen


def acted(db, settings, world, number):
    """Put the situation into the database, ask, look what was queued, and take it all back."""
    found = []
    with pytest.raises(Undone), db.command(system("agent"), "recommendation.propose") as command:
        row = put(command, world, number)
        command.actor = world.actor
        said = autonomy.consider(command, row, settings=settings)
        command.session.flush()
        queued = select(ActionRow).filter_by(recommendation_id=row.id, state="queued")
        action = command.session.scalars(queued).first()
        assert said == (action is not None)
        if action is not None:
            assert (row.state, row.kind, row.arguments) == (
                "approved",
                action.kind,
                action.arguments,
            )
            found.append(action.origin)
        raise Undone
    return found[0] if found else None


def put(command, world, number):
    session, now = command.session, command.now
    if world.leave:
        session.add(
            Autonomy(model="spam", kind=world.kind, state=world.leave, changed_by="apo", reason="r",
                     at=now - timedelta(days=9))
        )  # fmt: skip
    if world.freeze:
        session.add(
            Note(id="n", model=world.freeze[0], freeze=True, text="t", author="ana", at=now,
                 starts_at=now - timedelta(hours=3), ends_at=now + timedelta(hours=world.freeze[1]))
        )  # fmt: skip
    if world.thresholds is not None:
        session.add(
            PolicyVersion(model="spam", version=1, base=0, state="active", digest="d", reason="r",
                          thresholds=world.thresholds, replay={}, author="apo", at=now)
        )  # fmt: skip
    session.add(
        Experiment(id="e1", model="spam", name="e", state="running", hypothesis="", alpha=0.05,
                   control="1.0.0", treatment="1.0.0", share=0.1, metric="accuracy", at=now,
                   minimum_effect=0.01, planned_n=1, verdict={}, author="ana")
    )  # fmt: skip
    put_past(session, world, now)
    for place, (kind, origin, hours) in enumerate(world.own):
        session.add(
            ActionRow(id=f"a{place}", model="spam", kind=kind, arguments={}, state="succeeded",
                      before={}, after={}, inverse={}, idempotency_key=f"a{place}", origin=origin,
                      at=now - timedelta(hours=hours))
        )  # fmt: skip
    return proposal(session, world, now, number)


def put_past(session, world, now):
    """Earlier proposals of the kind, and how their outcomes were graded."""
    rows, graded = [], []
    for place, (grade, whose) in enumerate(world.grades):
        key, at = f"g{place}", now - timedelta(hours=100 - place)
        more = {"person": {"reasoner": "person"}, "edited": {"edit_of": "x"}}.get(whose, {})
        own = {"state": "succeeded", "reasoner": "rules", "edit_of": None} | more
        rows.append(recommendation(world, key, at, digest="-", **own))
        about = {"recommendation_id": key, "model": "spam", "kind": world.kind, "sentence": "s"}
        graded.append(Outcome(**about, grade=grade, expected={}, measured={}, at=at))
    session.add_all(rows)
    session.flush()
    session.add_all(graded)


def recommendation(world, key, at, **more):
    given = {
        "state": world.state, "reasoner": world.reasoner, "fact_book_id": None,
        "edit_of": "x" if world.edited else None, "release_seq": 1 + world.other_release,
    } | more  # fmt: skip
    return Recommendation(
        id=key, model="spam", kind=world.kind, arguments=ARGUMENTS.get(world.kind, {}),
        decision=world.decision, severity="high", confidence=0.9, title="t", reasoning="r",
        evidence=[], expected={}, proposed_by="agent", proposed_at=at,
        expires_at=at + timedelta(hours=world.hours_left), **given,
    )  # fmt: skip


def proposal(session, world, now, number):
    name = "another" if world.stale_policy else "built in" if world.thresholds is None else "spam 1"
    verdict = {
        "rule": world.rule, "decision": world.verdict,
        "actions": [{"kind": world.kind if world.named else "freeze", "arguments": {}}],
        "considered": [["another rule", "held", "s"], [world.rule, world.held, "s"]],
    }  # fmt: skip
    facts = [] if world.score is None else [{"id": "drift.score", "value": world.score}]
    row = recommendation(world, new_id(now), now, fact_book_id="f" if world.facts else None)
    if world.facts:
        session.add(
            FactBook(id="f", model="spam", facts=facts, verdict=verdict, policy={}, at=now,
                     policy_name=name, digest=canonical(facts).hex()[:64], release_seq=1)
        )  # fmt: skip
    row.digest = "0" * 64 if world.tampered else seal(row)
    session.add(row)
    session.flush()
    return row

"""A model with all that actions can change, and a digest of how it stands."""

from hashlib import sha256
from itertools import count

from pydantic import SecretStr
from sqlalchemy import select

from core import actions, notes, policies, recommendations, releases, specs
from core.access import Actor, Role
from core.chain import canonical
from core.errors import PilothouseError
from core.experiments import lifecycle
from core.experiments.drafting import MODES
from core.incidents import silences
from core.tables.decisions import Autonomy, LabelRequest
from core.tables.entities import ModelVersion, Silence
from tests.actions_kit import carry_out
from tests.conftest import version_row
from tests.fakes.watched import TEXT, Watched

ANA, APO = Actor("ana", Role.OPERATOR), Actor("apo", Role.APPROVER)
NAMES = count(1)


def state_digest(session, model, now):
    """Return a digest of what serves whom, what is held back, and who decides what."""
    return sha256(canonical(state(session, model, now))).hexdigest()


def state(session, model, now):
    """Return what `state_digest` covers, as plain values; ids of what comes and goes left out."""
    running = lifecycle.running(session, model)
    scopes = [policies.active(session, scope) for scope in (policies.ALL, model)]
    leaves = select(Autonomy).filter_by(model=model, state="granted")
    asked = select(LabelRequest).filter_by(model=model, state="open")
    return {
        "serves": _serves(session, model),
        "experiment": running and [running.id, running.state, running.mode, running.share],
        "notes": [
            [one.model, one.freeze, one.text, one.ends_at.isoformat()]
            for one in notes.in_force(session, model, now)
        ],
        "silences": sorted(_silences(session, model, now)),
        "policies": [row and row.version for row in scopes],
        "gate": specs.gates.words(specs.active(session, model).gate),
        "leaves": sorted(row.kind for row in session.scalars(leaves)),
        "labels": [[row.version, len(row.prediction_ids)] for row in session.scalars(asked)],
    }


def _serves(session, model):
    """Return the arms with their thresholds; the salt counts where it decides who meets whom."""
    if (release := releases.find_current(session, model)) is None:
        return None
    found = []
    for arm in releases.arms(release):
        version = session.get_one(ModelVersion, (model, arm.version))
        found.append([arm.version, arm.variant, arm.weight, releases.threshold(release, version)])
    live = [arm for arm in releases.arms(release) if arm.weight]
    return [found, release.mode, release.salt if len(live) > 1 else None]


def _silences(session, model, now):
    living = select(Silence).where(Silence.starts_at <= now, Silence.ends_at > now)
    for row in session.scalars(living):
        if row.matchers.get("model", model) == model:
            yield [silences.describe(row.matchers), row.ends_at.isoformat()]


class Plain(Watched):
    """A model without the rows that its inputs would be compared with."""

    def _keep_reference(self):
        return "d3"


class World:
    """A model of its own, in a database that others may be in: 2.0.0 serves, 3.0.0 waits."""

    def __init__(self, db, settings, clock):
        self.db, self.clock, self.name = db, clock, f"m{next(NAMES)}"
        settings.slack_webhook_url = SecretStr("http://127.0.0.1:9")
        self.settings = settings
        watched = Plain(db, settings, clock, TEXT.replace("name: spam", f"name: {self.name}"))
        for version in ("1.0.0", "2.0.0"):
            watched.release(version)
        with db.command(ANA, "dataset.load") as command:
            third = version_row(self.name, "3.0.0", 3, command.now)
            third.gate = {"answer": "promote"}
            command.session.add(third)
        watched.log([{"message": "hello"}] * 40)
        self.experiments = {mode: self._draft(mode) for mode in MODES}

    def _draft(self, mode):
        row = lifecycle.draft(
            self.db,
            ANA,
            model=self.name,
            name=mode,
            control="2.0.0",
            treatment="3.0.0",
            share=0.1 if mode == "canary" else 0.0,
            mode=mode,
            hypothesis="better",
        )
        return row.id

    def draft_policy(self, **thresholds):
        """Draft a version of the model's policy; returns its number as an argument."""
        with self.db.command(ANA, "recommendation.propose") as command:
            row = policies.draft_in(
                command, scope=self.name, thresholds=thresholds, reason="fewer alarms"
            )
            return str(row.version)

    def propose(self, kind, /, *, actor=ANA, **arguments):
        self.clock.forward(seconds=1)  # ids and jobs have an order
        return recommendations.propose(
            self.db,
            actor,
            model=self.name,
            kind=kind,
            arguments=arguments,
            title=f"{kind} {self.name}",
            reasoning="because",
        )

    def do(self, kind, /, **arguments):
        """Let one person propose, another approve, and the executor carry out; returns the action."""
        return self.approve(self.propose(kind, **arguments))

    def approve(self, row):
        recommendations.approve(self.db, APO, row.id, digest=row.digest, solo=False)
        return carry_out(self.db, self.settings)

    def undo(self, action, actor=ANA):
        """Take an action back, with a second person where that is proposed.

        What it would be refused for is asked before, and has to be what it is refused for.
        """
        self.clock.forward(seconds=1)
        beforehand = self.why_no_undo(action)
        said, refused = "", None
        try:
            said = actions.undo(self.db, actor, action.id, reason="regret")
        except PilothouseError as problem:
            refused = problem
        assert beforehand == str(refused or "")
        if refused:
            raise refused
        if "another person decides" in said:
            with self.db.read() as session:
                (row,) = recommendations.waiting(session, model=self.name)
            self.approve(row)
        return said

    def why_no_undo(self, action):
        with self.db.read() as session:
            row = actions.get(session, action.id)
            return actions.why_no_undo(session, row, self.clock())

    def digest(self):
        with self.db.read() as session:
            return state_digest(session, self.name, self.clock())

    def state(self):
        with self.db.read() as session:
            return state(session, self.name, self.clock())

    def action(self, action):
        with self.db.read() as session:
            return actions.get(session, action.id)

import json
from dataclasses import replace

import pytest

from core.agent import evaluation, scenarios
from core.agent.evaluation import Rationed, evaluate, judge
from core.agent.reasoners import Draft, RulesReasoner
from core.agent.verdict import Act
from core.settings import Settings

TEXT = """
- id: back
  tags: [bad-release, several]
  words: What serves is worse than what served.
  facts: {drift.alarm: true, drift.score: .3, drift.p_value: .001, drift.n_current: 1000,
    drift.windows_in_a_row: 3, data_quality.status: pass, retrain.hours_since_last: 50}
  expect: {decision: rollback, actions: {rollback: {to: 1.0.0}}, severity: high, also: [scale]}
  acceptable: [escalate]
  forbidden: [retrain, promote, no_action]
- id: calm
  tags: [quiet]
  words: Nothing happens.
  facts: {drift.alarm: false, drift.score: 0, drift.p_value: .5, drift.n_current: 500}
  expect: {decision: no_action}
  acceptable: [log_only]
  forbidden: [rollback]
"""
BACK, CALM = scenarios.parse(TEXT, half="open")
GOOD = Draft("rollback", "high", 0.9, "Worse.", actions=(Act("rollback", {"to": "1.0.0"}),))
RETRAIN = Act("retrain")


@pytest.mark.parametrize(
    ("change", "grade", "why"),
    [
        ({}, "exact", ""),
        ({"severity": "critical"}, "exact", ""),
        ({"actions": (*GOOD.actions, Act("notify"), Act("scale", {"replicas": 3}))}, "exact", ""),
        ({"severity": "medium"}, "acceptable", "high is the least severity"),
        ({"actions": (Act("rollback", {"to": "0.9.0"}),)}, "acceptable", "rollback has other arg"),
        ({"actions": ()}, "acceptable", "the action rollback is expected"),
        (
            {"actions": (*GOOD.actions, Act("freeze"))},
            "acceptable",
            "the action freeze is too much",
        ),
        ({"decision": "escalate", "actions": ()}, "acceptable", "rollback is expected"),
        ({"decision": "log_only", "actions": ()}, "wrong", "rollback is expected"),
        ({"decision": "no_action", "actions": ()}, "forbidden", "no_action does harm"),
        ({"decision": "escalate", "actions": (RETRAIN,)}, "forbidden", "retrain does harm"),
        ({"actions": (*GOOD.actions, RETRAIN)}, "forbidden", "retrain does harm"),
    ],
)
def test_a_draft_is_graded_by_decision_actions_and_least_severity(change, grade, why):
    found, words = judge(BACK, replace(GOOD, **change))
    assert (found, why in words) == (grade, True)


def test_the_rules_decide_without_a_model_and_without_a_fallback():
    made = evaluate(RulesReasoner(), scenarios=[CALM])
    assert (made.reasoner, made.half, made.total) == ("rules", "open", evaluation.Tally(1, 1, 1, 0))
    told = made.to_dict()
    assert (told["asked"], told["tokens"]["sum"], told["fallbacks"]) == (0, 0, {})
    assert 0 < told["seconds"]["median"] < 1  # 1 ms where nothing else runs


def test_the_rules_are_exact_and_harmless_on_the_open_half_and_pass_the_guard():
    made = evaluate(RulesReasoner(), scenarios=scenarios.load("open"))
    assert [case.id for case in made.missed if case.grade == "forbidden"] == []
    assert made.total.exact > 0.95 * made.total.n
    assert made.fallbacks == {}


class Stubborn:
    """A model that wants to release whatever it sees."""

    name = "stubborn"

    def __init__(self):
        self.asked = 0

    def propose(self, book, verdict):
        self.asked += 1
        answer = RulesReasoner().propose(book, verdict)
        draft = replace(
            answer.draft, decision="promote", actions=(Act("promote", {"version": "9"}),)
        )
        return replace(answer, reasoner=self.name, draft=draft, tokens=700, cost=0.02)


def test_what_the_guard_rejects_is_counted_with_its_reason_and_its_cost():
    made = evaluate(Stubborn(), scenarios=[BACK, CALM])
    told = made.to_dict()
    assert (told["asked"], told["tokens"]) == (1, {"sum": 700, "a_case": 350})
    assert told["cost"] == {"sum": 0.02, "a_case": 0.01}
    [(why, n)] = made.fallbacks.items()
    assert ("promote" in why, n) == (True, 1)
    assert "promote" not in {case.decision for case in made.cases}


def test_one_run_may_use_as_much_as_a_day():
    model = Stubborn()
    ration = Rationed(model, Settings(_env_file=None, openai_tokens_a_day=1000))
    made = evaluate(ration, scenarios=[BACK] * 5)
    assert model.asked == made.to_dict()["asked"] == 2
    assert any("tokens are used up" in why for why in made.fallbacks)


def test_a_case_counts_for_each_of_its_tags_and_its_half():
    made = evaluate(RulesReasoner(), scenarios=[BACK, CALM, replace(CALM, id="c", half="held-out")])
    assert {tag: one.n for tag, one in made.by_tag.items()} == {
        "bad-release": 1, "several": 1, "quiet": 2,
    }  # fmt: skip
    assert {half: one.n for half, one in made.by_half.items()} == {"open": 2, "held-out": 1}
    assert made.half == "all"


def test_the_worst_misses_come_first():
    harmful = replace(CALM, id="harm", forbidden=frozenset({"no_action"}))
    near = replace(CALM, id="near", decision="log_only", acceptable=frozenset({"no_action"}))
    made = evaluate(RulesReasoner(), scenarios=[CALM, near, harmful])
    assert [case.id for case in made.missed] == ["harm", "near"]
    assert made.total == evaluation.Tally(3, 1, 2, 1)


def test_the_newest_of_each_reasoner_is_kept_for_the_panel(db, shell, clock):
    made = evaluate(RulesReasoner(), scenarios=[CALM])
    for reasoner, cases in (("rules", made.cases * 2), ("gpt", made.cases), ("rules", made.cases)):
        clock.forward(minutes=1)
        with db.command(shell, "agent.evaluate") as command:
            evaluation.save_in(command, replace(made, reasoner=reasoner, cases=cases))
    with db.read() as session:
        kept = evaluation.newest(session)
        assert [(row.reasoner, row.n, row.exact) for row in kept] == [
            ("rules", 1, 1),
            ("gpt", 1, 1),
        ]
        assert json.loads(json.dumps(kept[0].result))["tags"]["quiet"]["exact"] == 1


def test_the_rules_are_exact_and_harmless_on_the_half_that_no_policy_was_written_by(capsys):
    made = evaluate(RulesReasoner(), scenarios=scenarios.load("held-out"))
    with capsys.disabled():
        print(f"\nheld out: {made.total}")
    assert made.total.forbidden == 0
    assert made.total.exact > 0.95 * made.total.n
    assert made.fallbacks == {}

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.agent import evaluation, scenarios
from core.agent.reasoners import RulesReasoner

CALM = """
- id: calm-day
  tags: [quiet]
  words: Nothing happens.
  facts: {drift.alarm: false, drift.score: 0, drift.p_value: .5, drift.n_current: 500}
  expect: {decision: no_action}
  acceptable: [log_only]
  forbidden: [rollback]
"""


def part():
    from app import evaluations, session

    evaluations.show(session.panel())


@pytest.fixture
def look(panel):
    def shown():
        page = AppTest.from_function(part).run()
        assert not page.exception
        return page

    return shown


@pytest.fixture
def keep(panel, shell):
    def one(**labels):
        [calm] = scenarios.parse(CALM, half="held-out")
        made = evaluation.evaluate(RulesReasoner(), scenarios=[replace(calm, **labels)])
        with panel.db.command(shell, "agent.evaluate") as command:
            evaluation.save_in(command, made)

    return one


def words(page):
    return " ".join(one.value for one in (*page.markdown, *page.caption)).replace("\\", "")


def test_without_an_evaluation_the_command_that_makes_one_is_shown(look):
    assert "pilothouse agent evaluate --save" in words(look())


def test_counts_latency_and_tags_of_the_newest_evaluation_are_shown(look, keep):
    keep()
    page = look()
    said = words(page)
    assert "of 1 situation (the held-out half) 1 (100 %) decided exactly" in said
    assert "0 in a way that does harm" in said
    assert "Median" in said
    assert "by local:tester" in said
    assert "money" not in said
    assert page.table[0].value.loc["quiet", "exact"] == "1 \\(100 %\\)"
    assert len(page.table) == 1


def test_what_was_answered_otherwise_is_shown_with_the_reason(look, keep):
    keep(forbidden=frozenset({"no_action"}))
    page = look()
    assert "1 in a way that does harm" in words(page)
    assert page.table[1].value.iloc[0]["judged"] == "forbidden"
    assert "does harm here" in page.table[1].value.iloc[0]["why"].replace("\\", "")

import pandas as pd
import pytest

from core import specs
from core.datasets import sources, suites, versions
from core.datasets.expectations import Expectation, parse
from core.datasets.rules import PlainValidator
from core.errors import ForbiddenError, InvalidInputError
from core.settings import ROOT, Settings

SPEC = specs.parse(
    """
name: m
title: M
task: tabular
target: {column: y, positive: "yes", negative: "no"}
input: {features: [{name: age, type: numeric}, {name: plan, type: category}]}
candidates: [{kind: random_forest}]
validation: {min_rows: 50, min_test_rows: 10}
"""
)


def table(n=200, **columns):
    frame = pd.DataFrame(
        {
            "age": [20.0 + i % 50 for i in range(n)],
            "plan": [["basic", "pro", None][i % 3] for i in range(n)],
            "y": ["yes" if i % 4 == 0 else "no" for i in range(n)],
        }
    )
    return frame.assign(**columns)


def failed(frame, suite):
    results = PlainValidator().run(frame, suite)
    return {(r.expectation.kind, r.expectation.column) for r in results if not r.ok}


def test_a_suite_generated_from_data_holds_for_that_data():
    assert failed(table(), suites.suite_for(SPEC, table())) == set()


@pytest.mark.parametrize("name", ["sms_spam", "heart_disease", "breast_cancer"])
def test_the_shipped_models_expect_what_their_data_is(name, real_data, tmp_path):
    spec = specs.parse((ROOT / "specs" / f"{name}.yaml").read_text())
    loaded = sources.read(spec, Settings(_env_file=None, home=tmp_path, data_dir=real_data))
    suite = suites.suite_for(spec, loaded.frame)
    assert failed(loaded.frame, suite) == set()
    assert {one.column for one in suite} >= {*spec.columns, spec.target.column}


def test_what_is_hard_follows_from_the_spec():
    hard = {(e.kind, e.column) for e in suites.suite_for(SPEC, table()) if e.severity == "hard"}
    assert hard == {
        ("rows_at_least", None),
        ("present", "age"),
        ("present", "plan"),
        ("present", "y"),
        ("number", "age"),
        ("in_set", "y"),
    }


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        (table(age=[i * 9.0 for i in range(200)]), ("between", "age")),
        (table(age=[None] * 30 + [30.0] * 85 + [31.0] * 85), ("missing_at_most", "age")),
        (table(age="old"), ("number", "age")),
        (table(age=30.0), ("distinct_at_least", "age")),
        (table(plan=["gold"] * 9 + ["pro"] * 191), ("in_set", "plan")),
        (table(y=["maybe"] + ["yes", "no", "no"] * 66 + ["no"]), ("in_set", "y")),
        (table(y=["yes"] * 10 + ["no"] * 190), ("share_between", "y")),
        (table(20), ("rows_at_least", None)),
        (table().drop(columns="plan"), ("present", "plan")),
        (pd.concat([table()] * 2), ("duplicates_at_most", None)),
    ],
)
def test_data_unlike_it_fails_the_expectation_about_that(frame, what):
    frame = frame.reset_index(drop=True)
    assert what in failed(
        frame, suites.suite_for(SPEC, table().assign(age=table()["age"] + 0.001 * table().index))
    )


def test_a_single_odd_value_breaks_no_generated_bound():
    odd = table()
    odd.loc[3, "age"], odd.loc[4, "plan"] = 999.0, "gold"
    assert failed(odd, suites.suite_for(SPEC, table())) == set()


def test_live_inputs_are_not_held_to_what_is_about_a_data_set_or_its_target():
    kept = suites.for_traffic(SPEC, suites.suite_for(SPEC, table()))
    assert {(e.kind, e.column) for e in kept} == {
        ("present", "age"),
        ("missing_at_most", "age"),
        ("number", "age"),
        ("between", "age"),
        ("present", "plan"),
        ("missing_at_most", "plan"),
        ("in_set", "plan"),
    }


@pytest.mark.parametrize(
    ("one", "problem"),
    [
        ({"kind": "magic", "column": "age"}, "the kind must be one of present"),
        ({"kind": "number", "column": "size"}, "the model has no column of this name"),
        ({"kind": "rows_at_least", "column": "age", "arguments": {"rows": 5}}, "names no column"),
        ({"kind": "between", "column": "age", "arguments": {"low": 1}}, "between needs high"),
        ({"kind": "number", "column": "age", "arguments": {"low": 1}}, "number takes no low"),
        ({"kind": "number", "column": "age", "severity": "fatal"}, "must be hard or soft"),
        ({"kind": "number", "column": "age", "why": "x"}, "the field why is not known"),
        (
            {"kind": "missing_at_most", "column": "age", "arguments": {"share": 5}},
            "between 0 and 1",
        ),
        ({"kind": "missing_at_most", "column": "age", "arguments": {"share": "a"}}, "a number"),
        ({"kind": "in_set", "column": "plan", "arguments": {"values": []}}, "list of 1 to 1,000"),
        ({"kind": "distinct_at_least", "column": "age", "arguments": {"values": 0}}, "from 1"),
    ],
)
def test_an_expectation_that_makes_no_sense_is_refused_by_its_number(one, problem):
    good = {"kind": "present", "column": "age"}
    with pytest.raises(InvalidInputError, match="Expectation 2") as refused:
        parse([good, one], ["age", "plan", "y"])
    assert problem in str(refused.value)


@pytest.fixture
def model(db, ana):
    from tests.core.datasets.test_versions import messages

    name = specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text()).name
    return name, messages()


def test_the_first_good_data_generates_the_suite_and_later_data_is_held_to_it(
    db, settings, ana, model
):
    name, frame = model
    first = versions.load(db, ana, settings, name, frame=frame)
    longer = frame.assign(message=[f"{text} " * 20 for text in frame["message"]])
    second = versions.load(db, ana, settings, name, frame=longer)
    with db.read() as session:
        (suite,) = suites.history(session, name)
    assert (suite.version, suite.author, suite.dataset_id) == (1, "worker", first.id)
    assert (first.report["suite"], first.report["failed"]) == (1, [])
    (told,) = second.report["failed"]
    assert (told["kind"], told["severity"], told["n_failed"]) == ("length_between", "soft", 600)
    assert second.state == "validated"


def test_a_failed_hard_expectation_rejects_the_data_with_the_rows(db, settings, ana, model):
    name, frame = model
    versions.load(db, ana, settings, name, frame=frame)
    strict = Expectation("length_between", "message", {"low": 1, "high": 7}, "hard")
    suites.edit(db, ana, name, [strict.to_dict()], reason="short ones only")
    row = versions.load(db, ana, settings, name, frame=frame)
    assert row.state == "rejected"
    assert row.report["failed"][0]["rows"] == list(range(100, 200))
    assert row.report["failed"][0]["values"][0] == "text 100"
    with pytest.raises(InvalidInputError, match="message has 1 to 7 characters"):
        versions.usable(row)


def test_each_edit_is_a_new_row_with_author_and_reason(db, settings, ana, model):
    name, frame = model
    versions.load(db, ana, settings, name, frame=frame)
    edited = suites.edit(db, ana, name, [{"kind": "present", "column": "label"}], reason="simpler")
    assert (edited.version, edited.author, edited.reason) == (2, "ana", "simpler")
    with db.read() as session:
        assert [row.version for row in suites.history(session, name)] == [2, 1]
        assert suites.current(session, name).expectations[0]["severity"] == "soft"


def test_an_edit_needs_a_reason_and_an_operator(db, settings, ana, vic, model):
    name, _frame = model
    for actor, reason, error in ((ana, " ", InvalidInputError), (vic, "x", ForbiddenError)):
        with pytest.raises(error):
            suites.edit(db, actor, name, [{"kind": "present", "column": "label"}], reason=reason)


def test_what_a_suite_has_said_of_the_same_content_is_not_judged_again(db, settings, ana, model):
    name, frame = model

    class Counting(PlainValidator):
        name, runs = "counting", 0

        def run(self, *given):
            self.runs += 1
            return super().run(*given)

    judge = Counting()
    for _ in range(2):
        row = versions.load(db, ana, settings, name, frame=frame, validator=judge)
    versions.load(db, ana, settings, name, frame=frame)
    assert (judge.runs, row.report["engine"]) == (1, "counting")

import json

import pytest
import yaml

from core import audit, specs
from core.access import system
from core.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    TooLargeError,
)
from core.settings import ROOT
from core.specs import gates

SHIPPED = ROOT / "specs"
SPEC = (SHIPPED / "sms_spam.yaml").read_text()


def edited(**fields):
    return yaml.safe_dump({**yaml.safe_load(SPEC), **fields})


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_spec_can_be_read(path):
    assert specs.parse(path.read_text()).name == path.stem


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"colour": "red"}, "The spec has an unknown field: colour."),
        ({"gate": {"florr": 0.9}}, "unknown field: gate.florr"),
        ({"gate": {"floor": float("nan")}}, "gate.floor cannot be used"),
        ({"gate": {"floor": 1.5}}, "gate.floor cannot be used"),
        ({"folds": 1}, "folds cannot be used"),
        ({"task": "speech"}, "task cannot be used"),
        ({"candidates": []}, "candidates cannot be used"),
        ({"candidates": [{"kind": "gradient_boosting"}]}, "cannot learn a text task"),
        ({"candidates": [{"kind": "complement_nb"}] * 2}, "named twice"),
        (
            {"candidates": [{"kind": "complement_nb", "parameters": {"C": 1}}]},
            "complement_nb has no parameter C; it has alpha",
        ),
        (
            {"candidates": [{"kind": "random_forest", "parameters": {"n_estimators": 10**9}}]},
            "n_estimators must lie between",
        ),
        ({"target": {"column": "label", "positive": "a", "negative": "a"}}, "two different labels"),
        ({"target": {"column": "message", "positive": "a", "negative": "b"}}, "cannot be an input"),
        ({"input": {"text": "a", "features": [{"name": "b", "type": "numeric"}]}}, "either text"),
        ({"source": {"path": "../../etc/passwd"}}, "stays inside the data folder"),
        ({"source": {"path": "/etc/passwd"}}, "stays inside the data folder"),
        (
            {
                "source": {
                    "download": {"url": "https://10.0.0.1/x", "member": "x", "sha256": "0" * 64}
                }
            },
            "downloads come from https://archive.ics.uci.edu/ only",
        ),
        ({"name": "no spaces, please!"}, "name cannot be used"),
    ],
)
def test_a_wrong_field_is_refused_with_a_sentence_that_names_it(fields, sentence):
    with pytest.raises(InvalidInputError) as refused:
        specs.parse(edited(**fields))
    assert sentence in str(refused.value)


def test_a_spec_from_before_the_budget_of_false_alarms_can_be_read():
    before = SPEC.replace("alpha: 0.01", "alpha: 0.01, windows: 3")
    assert before != SPEC
    assert specs.parse(before) == specs.parse(SPEC)


def test_the_spec_that_the_documentation_shows_can_be_read():
    page = (ROOT / "docs" / "own-model.md").read_text()
    shown = page.split("```yaml\n")[1].split("```")[0]
    assert specs.parse(shown).name == "churn"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "mapping"),
        ("just words", "mapping"),
        ("name: [unclosed", "not valid YAML"),
        ("name: a\nname: b", "given twice"),
        ("name: !!python/object/apply:os.getcwd []", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
        ("title: x", "lacks the field name"),
    ],
)
def test_text_that_is_no_spec_is_refused(text, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        specs.parse(text)


def test_a_spec_longer_than_its_bound_is_refused():
    with pytest.raises(TooLargeError, match="at most"):
        specs.parse("#" * (specs.document.MAX_CHARACTERS + 1))


def test_each_edit_is_a_row_with_its_author(db, ana, shell):
    specs.apply(db, shell, SPEC)
    specs.apply(db, ana, edited(title="Unwanted messages"))
    with db.read() as session:
        assert specs.active(session, "SMS-spam").title == "Unwanted messages"
        rows = [(row.version, row.author) for row in specs.history(session, "sms_spam")]
    assert rows == [(2, "ana"), (1, "local:tester")]


def test_applying_the_same_content_again_changes_nothing(db, ana):
    specs.apply(db, ana, SPEC)
    specs.apply(db, ana, SPEC + "\n")
    with db.read() as session:
        assert len(specs.history(session, "sms_spam")) == 1
        assert len(audit.tail(session, action="spec.apply")) == 1


@pytest.mark.parametrize("fields", [{"gate": {"floor": 0.5}}, {"policy": {"accuracy_floor": 0.5}}])
def test_an_operator_may_not_loosen_gate_or_policy_of_a_model_that_exists(db, ana, fields):
    specs.apply(db, ana, SPEC)
    with pytest.raises(ForbiddenError, match="policy.change"):
        specs.apply(db, ana, edited(**fields))
    with db.read() as session:
        assert specs.active(session, "sms_spam").gate.floor == 0.93
        assert audit.tail(session, action="spec.apply")[0].outcome == "refused"


def test_an_approver_may_change_the_gate(db, ana, apo):
    specs.apply(db, ana, SPEC)
    assert specs.apply(db, apo, edited(gate={"floor": 0.95})).gate.floor == 0.95


@pytest.mark.parametrize(
    ("part", "value", "served"),
    [("policy", "accuracy_floor", 0.8), ("gate", "floor", 0.95), ("gate", "floor", 0.8)],
)
def test_an_approver_alone_may_not_change_gate_or_policy_once_a_model_has_served(
    db, ana, apo, release, part, value, served
):
    specs.apply(db, apo, SPEC)
    assert getattr(specs.apply(db, apo, edited(**{part: {value: served}})), part) is not None
    release("sms_spam", "1.0.0")
    for actor in (apo, ana):
        with pytest.raises(ConflictError, match=f"pilothouse {part} propose sms_spam"):
            specs.apply(db, actor, edited(**{part: {value: 0.7}}))
    kept = {part: {value: served}, "title": "Unwanted messages"}
    assert specs.apply(db, apo, edited(**kept)).title == "Unwanted messages"


@pytest.mark.parametrize(
    "text",
    [
        SPEC,
        SPEC + "# the end",
        "\n".join(line for line in SPEC.splitlines() if not line.startswith("gate:")),
        SPEC.replace("gate: {", "gate:\n\n  # why\n  {\n  "),
        json.dumps(yaml.safe_load(SPEC)),
    ],
)
def test_another_gate_changes_nothing_else_of_a_specs_text(text):
    gate = specs.Gate(rule="non_inferiority", floor=0.5, auto_deploy_threshold=0.7)
    after = gates.rewritten(text, gate)
    assert specs.parse(after) == specs.parse(text).model_copy(update={"gate": gate})
    assert [line for line in after.splitlines() if "#" in line and "why" not in line] == [
        line for line in text.splitlines() if "#" in line and "why" not in line
    ]


def test_the_command_line_and_other_parts_may_not_change_the_gate(db, ana, shell, worker):
    specs.apply(db, ana, SPEC)
    for actor in (shell, worker):
        with pytest.raises(ForbiddenError):
            specs.apply(db, actor, edited(gate={"floor": 0.5}))
    assert specs.apply(db, system("bootstrap"), edited(gate={"floor": 0.5})).gate.floor == 0.5


def test_installing_the_shipped_specs_keeps_edits_made_since(db, ana):
    assert len(specs.install(db, SHIPPED)) == 3
    specs.apply(db, ana, edited(title="Mine"))
    assert specs.install(db, SHIPPED) == []
    with db.read() as session:
        assert specs.active(session, "sms_spam").title == "Mine"
        names = [spec.name for spec in specs.all_active(session)]
    assert names == ["breast_cancer", "heart_disease", "sms_spam"]


def test_an_archived_model_is_off_the_lists_and_can_come_back(db, ana):
    specs.apply(db, ana, SPEC)
    with db.command(ana, "spec.apply") as command:
        specs.active_row(command.session, "sms_spam").state = "archived"
    with db.read() as session:
        assert specs.all_active(session) == []
        with pytest.raises(NotFoundError, match="no model sms_spam"):
            specs.active(session, "sms_spam")
    specs.apply(db, ana, SPEC)
    with db.read() as session:
        assert [spec.name for spec in specs.all_active(session)] == ["sms_spam"]


def test_a_viewer_may_not_apply_a_spec(db, vic):
    with pytest.raises(ForbiddenError):
        specs.apply(db, vic, SPEC)

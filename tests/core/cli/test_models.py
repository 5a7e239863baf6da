"""Versions at the command line."""

import json

import pytest

from core import registry, releases
from core.datasets import versions
from core.tables.entities import ModelVersion
from tests import serving_kit as kit


@pytest.fixture
def two(spam, db, worker, release):
    """1.0.0 serves and 2.0.0 is a candidate that the gate has not judged."""
    release("sms_spam", "1.0.0")
    release("sms_spam", "2.0.0", release=False)
    with db.command(worker, "version.judge") as command:
        command.session.get_one(ModelVersion, ("sms_spam", "2.0.0")).gate = {}


def test_a_challenger_is_named_and_shown_as_a_stage(say, two):
    assert say("stage", "sms-spam", "2.0.0", "staging")[1] == "sms_spam 2.0.0 is in staging.\n"
    listed = json.loads(say("versions", "sms-spam", "--json")[1])
    assert [(row["version"], row["stage"]) for row in listed] == [
        ("2.0.0", "staging"),
        ("1.0.0", "production"),
    ]
    assert say("stage", "sms-spam", "2.0.0", "development")[0] == 0
    assert say("stage", "sms-spam", "2.0.0", "moon")[0] == 2


def test_what_the_gate_did_not_let_through_is_not_proposed(say, two):
    code, _, err = say("promote", "sms-spam", "2.0.0", "--reason", "I like it")
    assert (code, "an approver may override the gate" in err) == (1, True)
    code, _, err = say("override", "sms-spam", "2.0.0", "--reason", "I like it")
    assert (code, "may not do version.override" in err) == (1, True)


def test_only_what_lacks_evidence_is_judged_again(say, two):
    code, _, err = say("judge", "sms-spam", "2.0.0")
    assert (code, "the gate has not judged it; only what lacks evidence" in err) == (1, True)


def test_a_version_that_the_gate_lets_through_is_proposed(say, db, worker, two, as_ana):
    with db.command(worker, "version.register") as command:
        row = command.session.get_one(ModelVersion, ("sms_spam", "2.0.0"))
        row.gate = {"answer": "promote"}
    code, out, _ = say("promote", "sms-spam", "2.0.0")
    assert (code, "/recommendation?id=" in out) == (0, True)
    say("logout")
    code, _, err = say("promote", "sms-spam", "2.0.0")
    assert (code, "`pilothouse login NAME`, then again" in err) == (1, True)


def test_an_archived_version_says_so_and_what_serves_is_not_archived(say, two):
    assert say("archive", "sms-spam", "2.0.0")[1] == "sms_spam 2.0.0 is archived.\n"
    code, _, err = say("archive", "sms-spam", "1.0.0")
    assert (code, "serves" in err) == (1, True)


def test_the_history_tells_what_served_on_tuesday(say, two, clock, release):
    clock.forward(days=3)
    release("sms_spam", "3.0.0")
    (tuesday,) = json.loads(say("history", "sms-spam", "--at", "2030-01-02", "--json")[1])
    assert (tuesday["serves"], tuesday["until"]) == ("1.0.0", clock().isoformat())
    assert len(say("history", "sms-spam")[1].splitlines()) == 3
    assert "nothing of sms_spam served" in say("history", "sms-spam", "--at", "2020-01-01")[2]
    assert "as a date" in say("history", "sms-spam", "--at", "tuesday")[2]


@pytest.fixture
def kept(db, settings, spam, worker, shell):
    """Two versions with real model files, judged on the same four kept messages."""
    frame = kit.pd.DataFrame(
        {"message": ["win a prize", "see you", "free entry", "ok"], "label": ["spam", "ham"] * 2}
    )
    frame["v1"] = frame["label"]
    with db.command(shell, "dataset.load") as command:
        digest = versions.write(settings, frame)
        ids = [
            versions.add(
                command, model="sms_spam", role=role, frame=frame, digest=digest, source="test"
            ).id
            for role in ("train", "validation", "reference")
        ]
    for version, right, flipped in (("1.0.0", [True] * 4, False), ("2.0.0", [False] * 4, True)):
        judged = {ids[1]: registry.pack(right)}
        kit.register(db, settings, "sms_spam", version, flipped=flipped, evaluations=judged)
        with db.command(worker, "version.register") as command:
            row = command.session.get_one(ModelVersion, ("sms_spam", version))
            row.train_dataset_id, row.test_dataset_id, row.reference_dataset_id = ids
    return ids


def test_a_comparison_is_read_by_people_unless_a_script_asks(say, kept):
    out = say("compare", "sms-spam", "1.0.0", "2.0.0", "--rows")[1]
    assert out.splitlines()[0].split() == ["metric", "1.0.0", "2.0.0", "difference"]
    assert "only 1.0.0 is right on 4, only 2.0.0 on 0; accuracy -1.0000" in out
    assert "4 of 4 rows get another answer" in out


def test_a_comparison_lists_the_answers_that_differ(say, kept):
    found = json.loads(say("compare", "sms-spam", "1.0.0", "2.0.0", "--rows", "--json")[1])
    assert found["paired"]["only_first_right"] == 4
    assert (found["rows"]["n"], found["rows"]["changed"]) == (4, 4)
    first = found["rows"]["rows"][0]
    assert (first["input"], first["true"], first["first"], first["second"]) == (
        "win a prize", "spam", "spam", "ham",
    )  # fmt: skip
    assert first["better"] == "first"


def test_a_version_is_exported_and_not_imported_twice(say, kept, tmp_path):
    file = tmp_path / "version.pilothouse"
    assert say("export", "sms-spam", "1.0.0", "-o", str(file))[0] == 0
    code, _, err = say("import", str(file))
    assert (code, "is this very model already" in err) == (1, True)
    assert "there is no file" in say("import", str(tmp_path / "none"))[2]


def test_a_rollback_is_in_the_history(say, db, two, release):
    release("sms_spam", "3.0.0")
    say("rollback", "sms-spam", "--reason", "recall fell")
    with db.read() as session:
        assert releases.past(session, "sms_spam")[0].release.reason == "recall fell"
    assert "rolled back" in say("history", "sms-spam")[1]

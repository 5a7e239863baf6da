import json

import pytest
import skops.io

from core import specs
from core.datasets import versions
from core.features import values
from core.features.values import Given
from core.ids import new_id
from core.tables.telemetry import Prediction
from tests import serving_kit as kit
from tests.core.training import test_registering as elsewhere


@pytest.fixture
def churn(db, settings, shell):
    specs.apply(db, shell, elsewhere.SPEC)
    versions.load(db, shell, settings, "churn", frame=elsewhere.rows(), source="a test")


def test_a_file_is_registered_and_the_gate_is_told(say, churn, tmp_path):
    theirs = elsewhere.rows(seed=9)
    theirs.to_csv(tmp_path / "rows.csv", index=False)
    skops.io.dump(elsewhere.learnt(theirs), tmp_path / "model.skops")
    code, out, _ = say(
        *("register", "churn", str(tmp_path / "model.skops")),
        *("--trained-on", str(tmp_path / "rows.csv")),
    )
    assert code == 0
    assert out.startswith("Registered churn 1.0.0: accuracy 0.")
    assert "The gate says promote:" in out
    code, out, _ = say("explain", "churn", "--version", "1.0.0")
    assert (code, "months" in out, "log-odds" in out) == (0, True, True)


def test_what_cannot_be_registered_is_one_line(say, churn, tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04abc")
    code, out, err = say("register", "churn", str(tmp_path / "model.pkl"))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "skops.io.dump" in err
    assert "no file" in say("register", "churn", str(tmp_path / "none.skops"))[2]


@pytest.fixture
def served(db, settings, shell):
    kit.apply_specs(db, shell)
    kit.deploy(db, settings, "sms_spam", "1.0.0")
    kit.deploy(db, settings, "heart_disease", "1.0.0")


def test_an_answer_is_explained_word_by_word(say, served):
    code, out, _ = say("explain", "sms-spam", "--message", "win a free prize")
    assert (code, out.splitlines()[0].startswith("sms_spam 1.0.0: spam (spam 0.")) == (0, True)
    asked = ("explain", "heart_disease", "--features", '{"age": 70, "sex": "1"}', "--json")
    said = json.loads(say(*asked)[1])
    assert {part["name"] for part in said["parts"]} == {"age", "sex"}


def test_what_a_command_leaves_out_is_looked_up_by_the_entity(
    say, served, db, shell, settings, monkeypatch, clock
):
    kit.share_features(db, shell, monkeypatch)
    kit.deploy(db, settings, "heart_disease", "2.0.0")
    values.load(db, shell, [Given("age", "p1", clock(), 70)])
    asked = ("--features", '{"mail": "me@1"}', "--entity-id", "p1", "--json")
    said = json.loads(say("explain", "heart_disease", *asked)[1])
    assert {part["value"] for part in said["parts"]} == {70.0, "1"}


def test_a_stored_prediction_is_explained_by_its_id(say, served, db, clock):
    one = new_id(clock.now)
    with db.append() as session:
        session.add(stored(one, clock.now))
    said = json.loads(say("explain", "sms_spam", "--prediction", one, "--json")[1])
    assert (said["version"], said["label"]) == ("1.0.0", "ham")


def stored(one, at):
    names = {"id": one, "at": at, "model": "sms_spam", "version": "1.0.0", "variant": "control"}
    return Prediction(
        **names,
        release_seq=1,
        is_shadow=False,
        hour=0,
        sample_key=1,
        input={"message": "see you at lunch"},
        label="ham",
        probability=0.1,
        latency_ms=1.0,
        key_id="k",
    )


def test_features_that_are_no_object_are_one_line(say, served):
    assert "JSON object" in say("explain", "heart_disease", "--features", "[1]")[2]
    assert "JSON object" in say("explain", "heart_disease", "--features", "{")[2]


def test_an_old_version_says_that_its_importance_is_not_known(say, served):
    assert "registered before this was measured" in say("explain", "sms_spam")[1]

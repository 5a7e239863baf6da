import json

import pytest

from core import specs
from core.datasets import versions
from core.settings import ROOT
from tests.core.datasets.test_versions import messages


@pytest.fixture
def load(db, settings, shell):
    specs.apply(db, shell, (ROOT / "specs" / "sms_spam.yaml").read_text())

    def keep(frame):
        return versions.load(db, shell, settings, "sms_spam", frame=frame)

    return keep


def test_the_best_data_is_listed_first_with_the_parts_of_its_score(say, load):
    load(messages(600))
    best = load(messages(2000))
    _code, out, _ = say("data", "list", "sms-spam")
    head, first, second = out.splitlines()
    assert [word for word in head.split() if word in ("rows", "balance", "quality")]
    assert first.startswith(best.id)
    assert " 600 " in second


def test_two_versions_are_compared_as_json(say, load):
    first, second = load(messages(600)), load(messages(700))
    _code, out, _ = say("data", "compare", first.id, second.id)
    assert json.loads(out)["rows"] == [600, 700]


def test_data_is_archived_with_a_reason_and_taken_back(say, load):
    row = load(messages())
    assert "is archived" in say("data", "archive", row.id, "--reason", "wrong year")[1]
    assert "is validated" in say("data", "archive", row.id, "--reason", "fine", "--undo")[1]


def test_the_suite_is_shown_edited_in_a_file_and_put_in_force(say, load, tmp_path):
    load(messages())
    content = json.loads(say("data", "suite", "sms-spam")[1])
    file = tmp_path / "suite.json"
    file.write_text(json.dumps(content[:3]))
    said = say("data", "suite", "sms-spam", "-f", str(file), "--reason", "shorter")[1]
    assert said == "Suite 2 of sms_spam is in force: 3 expectations.\n"
    file.write_text("{}")
    assert "must hold a list" in say("data", "suite", "sms-spam", "-f", str(file))[2]


def test_pushing_without_a_remote_says_what_to_set(say, load):
    code, _out, said = say("data", "push", load(messages()).id)
    assert (code, "PILOTHOUSE_DVC_REMOTE" in said) == (1, True)


def test_data_that_is_rejected_ends_a_script(say, load):
    load(messages(50))
    code, out, _ = say("data", "validate", "sms-spam", "--json")
    assert (code, json.loads(out)["state"]) == (1, "rejected")


def test_why_data_is_rejected_is_said_in_words(say, load):
    load(messages(50))
    _code, out, _ = say("data", "validate", "sms-spam")
    assert "50 rows, rejected" in out
    assert "  error: " in out

import json
import subprocess
import sys

import pandas as pd
import pytest

from core import audit, cli
from core.cli import base
from core.serving import transfer
from core.settings import ROOT


def test_every_command_has_a_home_and_every_home_its_commands(say):
    code, out, _ = say("--help")
    named = {command for commands in cli.HOME.values() for command in commands}
    listed = {
        info.name or info.callback.__name__.replace("_", "-")
        for info in base.app.registered_commands
    } | {group.name for group in base.app.registered_groups}
    assert code == 0
    assert named == listed
    assert all(command in out for command in named)


def test_a_key_is_printed_once_as_json(say, db):
    code, out, _ = say(
        "keys", "create", "--name", "shop", "--scope", "predict", "--scope", "read", "--json"
    )
    made = json.loads(out)
    assert (code, made["scopes"]) == (0, ["predict", "read"])
    assert made["key"].startswith("ph_live_")
    _, listed, _ = say("keys", "list", "--json")
    assert made["key"] not in listed
    assert say("keys", "revoke", made["id"])[0] == 0
    assert "revoked" in say("keys", "list")[1]


def test_an_unknown_scope_is_one_clear_line_and_exit_code_1(say):
    code, out, err = say("keys", "create", "--name", "shop", "--scope", "fly")
    assert (code, out) == (1, "")
    assert err.startswith("pilothouse: ")
    assert err.count("\n") == 1


def test_wrong_usage_is_exit_code_2(say):
    assert say("nonsense")[0] == 2
    assert say("drift")[0] == 2


def test_a_bad_setting_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("PILOTHOUSE_API_PORT", "many")
    monkeypatch.setattr("sys.argv", ["pilothouse", "keys", "list"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert "api_port" in capsys.readouterr().err


def test_a_model_is_found_under_either_spelling(say, spam):
    assert say("versions", "sms-spam")[0] == say("versions", "sms_spam")[0] == 0
    code, _, err = say("versions", "nobody")
    assert (code, "nobody" in err) == (1, True)


def test_versions_say_what_serves(say, spam, release):
    release("sms_spam", "1.0.0")
    _, out, _ = say("versions", "sms-spam", "--json")
    assert [(row["version"], row["serves_percent"]) for row in json.loads(out)] == [("1.0.0", 100)]


def test_a_rollback_at_the_command_line_is_recorded_under_the_local_name(say, db, spam, release):
    release("sms_spam", "1.0.0")
    release("sms_spam", "2.0.0")
    code, out, _ = say("rollback", "sms-spam", "--reason", "recall fell")
    assert (code, out) == (0, "sms_spam now serves 1.0.0.\n")
    with db.read() as session:
        row = audit.tail(session, action="release.rollback")[0]
    assert (row.actor.split(":")[0], row.reason) == ("local", "recall fell")


def test_a_refused_rollback_is_exit_code_1(say, spam, release):
    release("sms_spam", "1.0.0")
    code, _, err = say("rollback", "sms-spam", "--reason", "nerves")
    assert (code, "no earlier release" in err) == (1, True)


def test_a_sign_in_makes_the_command_line_a_person_and_ends(say, db):
    password = "correct horse battery"
    assert say("users", "create", "mia", "--role", "viewer", typed=f"{password}\n")[0] == 0
    assert "mia" in say("users", "list")[1]
    assert say("login", "mia", typed="wrong password here\n")[0] == 1
    assert say("login", "mia", typed=f"{password}\n")[0] == 0
    code, _, err = say("keys", "create", "--name", "x", "--scope", "read")
    assert (code, "mia (viewer) may not do key.create" in err) == (1, True)
    assert say("logout")[0] == 0
    assert say("keys", "create", "--name", "x", "--scope", "read")[0] == 0
    assert "not signed in" in say("logout")[1]


def test_an_ended_sign_in_says_what_to_do(say, settings):
    (settings.folder("logins") / base.getpass.getuser()).write_text("gone")
    code, _, err = say("keys", "create", "--name", "x", "--scope", "read")
    assert (code, "pilothouse login" in err) == (1, True)


def test_the_audit_trail_is_verified_listed_and_exported(say):
    assert "unchanged and in order" in say("audit", "verify")[1]
    assert json.loads(say("audit", "verify", "--json")[1])["whole"] is True
    assert "user.create" in say("audit", "list")[1]
    assert say("audit", "export")[1].startswith("seq,at,actor")


def test_a_damaged_trail_is_exit_code_1(say, db):
    with db.engine.begin() as connection:
        connection.exec_driver_sql("update audit_event set actor = 'eve'")
    code, _, err = say("audit", "verify")
    assert (code, "Row 1" in err) == (1, True)


def test_two_files_are_compared(say, tmp_path):
    for name, shift in (("a", 0), ("b", 5)):
        frame = pd.DataFrame({"x": [i * 0.37 % 7 + shift for i in range(300)]})
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    files = ("--reference", str(tmp_path / "a.csv"), "--current", str(tmp_path / "b.csv"))
    code, out, _ = say("drift", *files, "--json")
    found = json.loads(out)
    assert (code, found["drifted"]) == (0, True)
    assert "x" in say("drift", *files)[1]


def test_a_missing_file_is_named(say, tmp_path):
    files = ("--reference", str(tmp_path / "no.csv"), "--current", str(tmp_path / "no.csv"))
    code, _, err = say("drift", *files)
    assert (code, "no.csv" in err) == (1, True)


def test_a_spec_is_applied_from_a_file_and_a_bad_one_names_its_field(say, tmp_path):
    good = tmp_path / "good.yaml"
    good.write_text((ROOT / "specs" / "breast_cancer.yaml").read_text())
    assert say("apply", "-f", str(good)) == (0, "Model spec breast_cancer applied.\n", "")
    bad = tmp_path / "bad.yaml"
    bad.write_text(good.read_text() + "\ncolour: red\n")
    code, _, err = say("apply", "-f", str(bad))
    assert (code, "colour" in err) == (1, True)
    assert say("apply", "-f", str(tmp_path / "none.yaml"))[0] == 1


def test_data_is_fetched_validated_and_listed(say):
    say("apply", "-f", str(ROOT / "specs" / "breast_cancer.yaml"))
    code, out, _ = say("data", "fetch", "breast-cancer")
    assert (code, "569 rows, validated" in out) == (0, True)
    assert json.loads(say("data", "validate", "breast-cancer", "--json")[1])["state"] == "validated"
    assert "train" in say("data", "list", "breast-cancer")[1]


def test_a_training_is_asked_for_with_a_search(say, spam):
    code, _, err = say("train", "sms-spam", "--threshold", "luck")
    assert (code, "The option threshold.by cannot be used" in err) == (1, True)
    assert say("train", "sms-spam", "--trials", "5", "--metric", "roc_auc")[0] == 0


def test_a_training_is_queued_and_a_second_one_refused(say, spam):
    code, out, _ = say("train", "sms-spam")
    assert (code, "is queued" in out) == (0, True)
    code, _, err = say("train", "sms-spam")
    assert (code, err.count("\n")) == (1, 1)


def test_checking_needs_the_word_and_a_release(say, spam):
    assert say("monitor")[0] == 1
    code, _, err = say("monitor", "--check-now")
    assert (code, "nothing to watch" in err) == (1, True)


def test_checking_now_tells_each_finding_with_its_time(say, spam, release):
    release("sms_spam", "1.0.0")
    code, out, _ = say("monitor", "--check-now", "--model", "sms-spam")
    assert code == 0
    assert "drift inconclusive" in out
    assert "nothing waits for a person" in out


def test_sending_traffic_needs_the_api(say, spam, release):
    code, _, err = say("drift", "inject", "sms-spam")
    assert (code, err.count("\n")) == (1, 1)


def test_a_channel_that_is_not_configured_is_named(say):
    code, _, err = say("alerts", "test", "slack")
    assert (code, "slack is not configured" in err) == (1, True)


def test_a_health_check_of_a_url_imports_nothing_of_the_product():
    ask = "import sys; sys.argv = ['pilothouse', 'alive', 'http://127.0.0.1:9/health']\n"
    ask += "from core import cli\ntry: cli.main()\nexcept SystemExit as end: print(end.code)\n"
    ask += "print(sorted({'typer', 'sqlalchemy', 'pydantic', 'httpx'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert said.stdout == "1\n[]\n"
    assert said.stderr == "pilothouse: no answer from http://127.0.0.1:9/health\n"


def test_a_dead_process_is_not_alive(say, db):
    assert say("alive", "worker")[0] == 1
    assert say("alive", "http://127.0.0.1:9/health")[0] == 1
    assert say("serve", "nothing")[0] == 1


def test_labels_that_nobody_disputes_are_said_to_be_so(say, spam):
    assert say("labels", "disputes", "sms-spam")[1] == "No label is disputed.\n"
    assert say("labels", "resolve", "x", "spam", "--reason", "y")[0] == 1


@pytest.mark.parametrize("words", [("doctor",), ("keys", "list")])
def test_a_moved_database_is_missed_in_words_and_no_empty_one_takes_its_place(
    say, db, settings, words
):
    db.engine.dispose()
    path = settings.root / "pilothouse.db"
    path.rename(settings.root / "elsewhere.db")
    code, out, err = say(*words)
    assert (code, f"there is no database at {path}; if it was moved" in out + err) == (1, True)
    assert not path.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("apply", "-f"),
        ("data", "suite", "sms-spam", "--reason", "x", "-f"),
        ("import",),
        ("register", "sms-spam"),
    ],
)
def test_a_file_of_another_kind_or_none_is_refused_in_one_line(say, spam, tmp_path, words):
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    for file in (picture, tmp_path, tmp_path / "none"):
        code, _, err = say(*words, str(file))
        assert (code, err.count("\n")) == (1, 1), err
        assert err.startswith("pilothouse: ")


def test_a_folder_that_takes_no_file_is_named_in_one_line(
    say, spam, release, tmp_path, monkeypatch
):
    monkeypatch.setattr(transfer, "export", lambda *_of, **_how: b"content")
    release("sms_spam", "1.0.0")
    code, _, err = say("export", "sms-spam", "1.0.0", "-o", str(tmp_path / "none" / "file"))
    assert (code, err) == (1, f"pilothouse: {tmp_path}/none/file: No such file or directory\n")

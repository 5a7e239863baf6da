import shutil
from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from pydantic import SecretStr
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sqlalchemy import func, select

from core import audit, jobs, specs
from core.access import Actor, Role, system
from core.automation import child
from core.automation.drill import changes, html, kinds, play, rows, run, sandbox, scoring
from core.automation.runners import RUNNERS
from core.datasets import generator, versions
from core.db import Database
from core.errors import ForbiddenError, InvalidInputError, NotFoundError
from core.panel import Panel
from core.serving import artifacts
from core.tables.entities import Incident, ModelVersion, Release
from core.tables.operational import Delivery
from core.tables.telemetry import Prediction
from tests import serving_kit as kit
from tests.conftest import FakeClock, settings_for, version_row
from tests.fakes.drilled import result
from tests.fakes.watched import be_quick

ANA = Actor("ana", Role.OPERATOR)
TEXT = """
name: spam
title: Messages
task: text
target: {column: label, positive: spam, negative: ham}
input: {text: message}
candidates: [{kind: logistic_regression}]
monitoring: {min_samples: 100, alpha: 0.01, windows: 2}
"""
TABLE = """
name: heart
title: Hearts
task: tabular
target: {column: ill, positive: "yes", negative: "no"}
input: {features: [{name: age, type: numeric}, {name: pressure, type: numeric}, {name: pain, type: category}]}
candidates: [{kind: logistic_regression}]
monitoring: {min_samples: 100, alpha: 0.01, windows: 2}
policy: {accuracy_floor: 0.8}
"""
NUMBERS = TABLE.replace("name: heart", "name: numbers").replace(
    ", {name: pain, type: category}", ""
)


def hearts(n, *, seed):
    """Hearts whose illness follows from their columns, nearly always."""
    rng = np.random.default_rng(seed)
    age, pressure = rng.normal(54, 9, n).round(1), rng.normal(130, 15, n).round()
    pain = rng.choice(["none", "typical", "other"], n, p=[0.5, 0.3, 0.2])
    risk = (age - 54) / 9 + (pressure - 130) / 15 + 2.0 * (pain == "typical")
    ill = np.where(risk + rng.normal(0, 0.2, n) > 0.5, "yes", "no")
    return pd.DataFrame({"age": age, "pressure": pressure, "pain": pain, "ill": ill})


def messages(n, *, seed):
    drawn = generator.messages(n, seed=seed)
    return pd.DataFrame({"message": [m.text for m in drawn], "label": [m.label for m in drawn]})


def pipeline(spec, frame):
    if spec.task == "text":
        return make_pipeline(TfidfVectorizer(), LogisticRegression(C=30)).fit(
            frame["message"], frame["label"]
        )
    numbers = [f.name for f in spec.input.features if f.type == "numeric"]
    words = [f.name for f in spec.input.features if f.type == "category"]
    columns = ColumnTransformer(
        [("n", SimpleImputer(), numbers), ("w", OneHotEncoder(handle_unknown="ignore"), words)]
    )
    return make_pipeline(columns, LogisticRegression(C=100, max_iter=5000)).fit(
        frame[spec.columns], frame["ill"]
    )


def deploy(db, settings, text):
    """Let a version serve that has learnt its task, with its data on record."""
    spec = specs.apply(db, system("bootstrap"), text)
    make = messages if spec.task == "text" else hearts
    frames = {
        "train": make(1500, seed=1),
        "validation": make(1000, seed=2),
        "reference": make(1000, seed=3),
    }
    fitted = pipeline(spec, frames["train"])
    right = fitted.predict(
        frames["validation"][spec.columns[0] if spec.input.text else spec.columns]
    )
    accuracy = float((right == frames["validation"][spec.target.column]).mean())
    assert accuracy > 0.93
    ids = {}
    made = {"role": "train", "frame": frames["train"], "source": "made here"}  # with its suite
    ids["train"] = versions.load(db, system("worker"), settings, spec.name, **made).id
    for role in ("validation", "reference"):
        frame = frames[role]
        digest = versions.write(settings, frame)
        with db.command(system("worker"), "dataset.load") as command:
            kept = {"role": role, "frame": frame, "digest": digest, "source": "made here"}
            ids[role] = versions.add(command, model=spec.name, **kept).id
    with db.command(system("worker"), "version.register") as command:
        row = version_row(spec.name, "1.0.0", 1, command.now)
        row.artifact = artifacts.save(settings, fitted)
        row.signature = {
            "task": spec.task,
            "input": spec.input.model_dump(mode="json"),
            "labels": spec.labels,
            "positive": spec.positive,
        }
        row.metrics = {"accuracy": accuracy, "f1": accuracy, "n_test": 1000}
        row.train_dataset_id, row.test_dataset_id = ids["train"], ids["validation"]
        row.reference_dataset_id = ids["reference"]
        command.session.add(row)
    kit.release(db, spec.name, "1.0.0")
    return spec


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        be_quick(patch)
        yield


@pytest.fixture(scope="module")
def house(sqlite_template, tmp_path_factory):
    """An installation with two models that serve; it has a channel, which no drill may use."""
    home = tmp_path_factory.mktemp("drills")
    shutil.copytree(sqlite_template, home, dirs_exist_ok=True)
    settings = settings_for(f"sqlite:///{home}/pilothouse.db", home).model_copy(
        update={"slack_webhook_url": SecretStr("https://hooks.slack.example/x")}
    )
    db = Database(settings, FakeClock())
    for text in (TEXT, TABLE):
        deploy(db, settings, text)
    specs.apply(db, system("bootstrap"), NUMBERS)
    yield Panel(settings, db, db.clock)
    db.engine.dispose()


def played(house, model, kind, *, size=0.6, seed=1, quiet=1, changed=8):
    with sandbox.opened(house.db, house.settings, model, name=f"{model}-{kind}-{seed}") as box:
        return play.play(box, kind, size=size, seed=seed, quiet=quiet, changed=changed)


def claimed(house, row, *, lease):
    with house.db.read() as session:
        job = rows.job(session, row.id)
    claim = jobs.claim(house.db, "one", lease=lease, only=job.id)
    assert claim.payload == {"drill_id": row.id}
    return claim


def short(monkeypatch):
    monkeypatch.setattr(play, "play", partial(play.play, quiet=1, changed=1))


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("spam", "campaign"),
        ("heart", "drift"),
        ("heart", "labels"),
        ("heart", "missing"),
        ("heart", "latency"),
    ],
)
def test_a_plain_change_is_noticed_and_named_without_a_false_alarm(house, model, kind):
    told = played(house, model, kind)
    score = told["score"]
    assert (score["detected"], score["false_alarms"]) == (True, 0), told["timeline"]
    assert told["incidents"][-1]["cause"] in kinds.EXPECTED[kind].causes
    assert [mark["good"] for mark in score["marks"]][:4] == [True] * 4, score["marks"]
    if kind != "missing":  # what the agent makes of soft findings is its policy's matter
        assert score["share"] == 1, score["marks"]


def test_the_same_seed_plays_the_same_drill_and_another_seed_another(house):
    one, again, other = (
        [
            {kind: (told["p_value"], told["score"]) for kind, told in check["reports"].items()}
            for check in played(house, "heart", "drift", seed=seed, quiet=0, changed=1)["timeline"]
        ]
        for seed in (5, 5, 6)
    )
    assert one == again
    assert one != other


def test_a_drill_changes_nothing_of_the_model_and_sends_nothing(house):
    def rows_of(session):
        counted = (Release, ModelVersion, Incident, Prediction, Delivery)
        return [session.scalar(select(func.count()).select_from(one)) for one in counted]

    with house.db.read() as session:
        before = rows_of(session)
    with sandbox.opened(house.db, house.settings, "heart", name="quiet") as box:
        play.play(box, "latency", size=0.6, seed=1, quiet=0, changed=2)
        with box.db.read() as session:
            assert session.scalar(select(func.count()).select_from(Incident)) > 0
            assert session.scalar(select(func.count()).select_from(Delivery)) == 0
    with house.db.read() as session:
        assert rows_of(session) == before


def test_the_sandbox_is_gone_afterwards_also_when_it_breaks(house):
    with pytest.raises(RuntimeError):
        with sandbox.opened(house.db, house.settings, "heart", name="breaks") as box:
            folder = box.settings.root
            assert folder.is_dir()
            raise RuntimeError
    assert not folder.exists()
    assert sandbox.sweep(house.settings) == []


def test_what_a_killed_process_left_is_removed_and_its_drill_has_failed(house):
    row = rows.request(house.db, ANA, "heart", "drift", queue=False)
    folder = house.settings.folder("drills") / row.id
    folder.mkdir()
    folder.with_suffix(".lock").touch()
    with sandbox.opened(house.db, house.settings, "heart", name="lives") as box:
        run.tidy(house.db, house.settings)
        assert box.settings.root.is_dir()
    assert not folder.exists()
    with house.db.read() as session:
        ended = rows.get(session, row.id)
    assert (ended.state, "ended without a word" in ended.sentence) == ("failed", True)


def test_a_drill_that_a_person_asks_for_is_played_by_its_job_and_kept(house, monkeypatch):
    short(monkeypatch)
    row = rows.request(house.db, ANA, "heart", "latency", size=0.5, seed=3)
    claim = claimed(house, row, lease=timedelta(minutes=5))
    RUNNERS["drill"].work(house, claim)
    with house.db.read() as session:
        ended, job = rows.get(session, row.id), rows.job(session, row.id)
        assert [one.action for one in audit.tail(session)[:2]] == ["drill.finish", "drill.request"]
    assert (ended.state, ended.sentence) == ("finished", ended.result["score"]["sentence"])
    assert (job.done, job.total) == (2, 2)
    assert "<table>" in rows.report_path(house.settings, row.id).read_text()


def test_a_drill_whose_worker_was_killed_has_failed_with_the_reason(house):
    row = rows.request(house.db, ANA, "heart", "drift")
    claimed(house, row, lease=timedelta(seconds=-1))
    (lost,) = jobs.abandoned(house.db, "w", lease=timedelta(minutes=1))
    child.give_up(house, lost, "its worker stopped without a word, on the last attempt")
    with house.db.read() as session:
        ended = rows.get(session, row.id)
    assert (ended.state, "its worker stopped" in ended.sentence) == ("failed", True)


def test_what_does_not_fit_is_refused_in_words(house):
    with pytest.raises(InvalidInputError, match="reads numbers only"):
        rows.request(house.db, ANA, "numbers", "campaign")
    with pytest.raises(InvalidInputError, match="no drill of kind fire"):
        rows.request(house.db, ANA, "heart", "fire")
    with pytest.raises(InvalidInputError, match="a share above 0"):
        rows.request(house.db, ANA, "heart", "drift", size=0)
    with pytest.raises(NotFoundError):
        rows.request(house.db, ANA, "ghost", "drift")
    with pytest.raises(ForbiddenError):
        rows.request(house.db, Actor("vic", Role.VIEWER), "heart", "drift")


def test_a_change_hits_its_share_of_the_rows_and_leaves_the_others(house):
    spec, whole = specs.parse(TABLE), hearts(2000, seed=9)
    for kind in changes.CHANGES:
        changed = changes.Changer(kind, spec, whole, size=0.25, seed=1).apply(whole, batch=0)
        differs = (changed.astype(str) != whole.astype(str)).any(axis=1)
        assert 0.12 < differs.mean() < 0.29, kind  # a burst may say what a row said before
        assert list(changed.index) == list(whole.index)


def test_the_report_escapes_what_messages_say_and_asks_nobody(house):
    told = result()
    told["timeline"][0]["opened"] = [
        {"title": "<script>alert(1)</script>", "severity": "high", "cause": "drift", "check": 1}
    ]
    row = rows.request(house.db, ANA, "heart", "drift", queue=False)
    page = html.render(rows.finish(house.db, row.id, told))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src 'none'" in page
    assert not [word for word in ("http://", "https://", "src=", "@import") if word in page]


def judged(kind, noticed, diagnosis=None, **how):
    spec = specs.parse(TABLE)
    how = {"quiet": 6, "changed": 4, "minutes": 15, **how}
    return scoring.judge(kind, spec, noticed, diagnosis, **how)


def good_of(score):
    return {mark.what: mark.good for mark in score.marks}


def test_a_drill_counts_from_the_change_and_names_what_was_missed():
    found = scoring.Noticed("drift", "high", "The data has drifted", 8)
    score = judged("drift", [found])
    assert (score.checks, score.hours) == (2, 0.5)
    assert good_of(score) == {
        "calm before": True, "noticed": True, "cause": True, "severity": True, "diagnosis": False
    }  # fmt: skip
    told = "4 of 5: noticed after 2 checks (0.5 simulated hours); not as it should be: diagnosis."
    assert score.sentence == told


def test_an_alarm_before_the_change_is_false_and_proves_nothing():
    score = judged("drift", [scoring.Noticed("drift", "high", "Drifted", 3)])
    assert (score.detected, score.false_alarms) == (False, 1)
    assert "the alarm had begun before the change" in score.sentence


def test_another_cause_is_not_the_change():
    score = judged("latency", [scoring.Noticed("drift", "high", "Drifted", 8)])
    assert not score.detected
    assert "Only other causes were named: drift" in score.marks[2].sentence


@pytest.mark.parametrize(("proposes", "good"), [(None, True), ("retrain", False)])
def test_a_retraining_on_broken_data_is_the_wrong_answer(proposes, good):
    said = scoring.Diagnosis("escalate", "medium", "data quality", "t", "r", proposes)
    found = scoring.Noticed("data_quality", "medium", "Inputs", 7)
    assert good_of(judged("missing", [found], said))["diagnosis"] is good


def test_to_do_nothing_about_a_slow_service_is_no_answer():
    said = scoring.Diagnosis("no_action", "low", "nothing", "t", "r", None)
    score = judged("latency", [scoring.Noticed("latency", "critical", "Slow", 7)], said)
    assert good_of(score)["diagnosis"] is False
    assert "and decide escalate or log only" in score.marks[4].sentence

import random
from datetime import timedelta

import pandas as pd
import pytest

from core import audit, jobs, registry, releases, runs, specs
from core.clock import hour_of, monotonic
from core.datasets import generator, versions
from core.datasets.values import normalised
from core.errors import ConflictError, InvalidInputError
from core.ids import new_id
from core.serving import artifacts
from core.settings import ROOT
from core.tables.entities import ModelVersion
from core.tables.telemetry import Label, Prediction
from core.training import evaluation
from core.training.run import carry_out
from tests.fakes.counted import count

LEASE = timedelta(minutes=10)
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def release(db, worker, version):
    with db.command(worker, "release.promote") as command:
        releases.promote(command, version.model, version.version, replaces=0, reason="first")


def serve(db, clock, version, messages, *, disputed=False):
    """Log predictions with true labels, one a second, as clients would have asked for them."""
    with db.append() as session:
        for message in messages:
            clock.forward(seconds=1)
            key = new_id(clock())
            row = Prediction(
                at=clock(), id=key, model=version.model, version=version.version,
                variant="control", release_seq=1, is_shadow=False, hour=hour_of(clock()),
                sample_key=1, input={"message": message.text}, label="ham", probability=0.1,
                latency_ms=1.0, key_id="k",
            )  # fmt: skip
            session.add(row)
            count(session, [row])
            label = {"prediction_id": key, "state": "confirmed", "at": clock()}
            session.add(Label(source="client", value=message.label, **label))
            if disputed:
                other = "ham" if message.label == "spam" else "spam"
                session.add(Label(source="shop", value=other, **label))


@sqlite_only
@pytest.mark.timeout(120)
def test_the_real_messages_are_learnt_well_and_quickly(real_data, db, settings, ana, train, capsys):
    specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text())
    started = monotonic()
    version = train("sms_spam")
    seconds, found = monotonic() - started, version.metrics
    with capsys.disabled():
        print(f"\nSMS: accuracy {found['accuracy']:.4f}, F1 {found['f1']:.4f}, {seconds:.1f} s")
    assert version.signature["positive"] == "spam"
    assert found["accuracy"] >= 0.975
    assert found["f1"] >= 0.94
    assert found["n_test"] == 1114
    assert version.gate["answer"] == "promote"
    assert seconds < 60


@sqlite_only
def test_few_patients_are_not_enough_evidence_for_the_gate(real_data, db, ana, train):
    specs.apply(db, ana, (ROOT / "specs" / "heart_disease.yaml").read_text())
    version = train("heart_disease", candidates=["logistic_regression"])
    assert version.metrics["accuracy"] > 0.75
    assert (version.gate["answer"], version.state) == ("not_enough_evidence", "candidate")


def test_a_training_registers_everything_in_one_command(db, settings, train, small):
    version = train("small")
    with db.read() as session:
        run = runs.get(session, version.run_id)
        rows = audit.tail(session, action="version.register")
        parts = [
            versions.get(session, id_)
            for id_ in (
                version.train_dataset_id,
                version.test_dataset_id,
                version.reference_dataset_id,
            )
        ]
    assert (version.version, version.state, len(rows)) == ("1.0.0", "candidate", 1)
    assert (run.state, run.version, run.dataset_id) == (
        "finished",
        "1.0.0",
        version.train_dataset_id,
    )
    assert [part.role for part in parts] == ["train", "validation", "reference"]
    assert [row["kind"] for row in run.leaderboard] != []
    train_rows, test_rows, _ = (versions.frame(settings, part) for part in parts)
    learnt = train_rows[~evaluation.held_out(train_rows, small)]
    assert evaluation.overlap(learnt, test_rows, small) == 0
    assert artifacts.load_plan(settings, version.plan)
    assert version.plan_note.startswith("a compiled plan, within ")
    pipeline = artifacts.load(settings, version.artifact)
    right = pipeline.predict(list(test_rows["message"])) == test_rows["label"].to_numpy(dtype=str)
    assert right.mean() == pytest.approx(version.metrics["accuracy"])


@sqlite_only
def test_progress_reaches_its_total_and_every_fit_says_a_line(db, ana, train, small):
    version = train("small")
    with db.read() as session:
        job = jobs.get(session, runs.get(session, version.run_id).job_id)
        lines = [line.text for line in jobs.lines(session, job.id)]
    assert 0 < job.done == job.total
    assert sum(line.startswith("fold ") for line in lines) == 6
    assert any(line.startswith("fold 3/3 complement_nb f1 0.") for line in lines)
    assert any(line.startswith("900 generated messages") for line in lines)
    assert any("the gate says promote" in line for line in lines)


@sqlite_only
def test_the_same_data_and_seed_give_the_same_figures_and_reuse_the_data(db, train, small):
    first, second = train("small"), train("small")
    assert second.version == "1.1.0"
    assert second.metrics == first.metrics
    assert second.train_dataset_id == first.train_dataset_id
    assert second.test_dataset_id == first.test_dataset_id


@sqlite_only
def test_another_seed_for_a_training_does_not_choose_other_rows_to_judge_it(db, train, small):
    given = {"candidates": ["complement_nb"]}
    first, second = train("small", **given), train("small", **given, options={"seed": 7})
    assert second.test_dataset_id == first.test_dataset_id
    assert second.train_dataset_id == first.train_dataset_id


@sqlite_only
def test_the_chosen_candidate_is_the_best_on_the_folds(db, train, small):
    version = train("small")
    with db.read() as session:
        board = runs.get(session, version.run_id).leaderboard
    means = [row["mean"]["f1"] for row in board]
    assert means == sorted(means, reverse=True)
    assert board[0]["kind"] == version.algorithm


@sqlite_only
def test_a_second_version_is_judged_against_what_serves(db, worker, train, first):
    release(db, worker, first)
    second = train("small")
    assert (second.gate["rule"], second.gate["champion"]) == ("superiority", "1.0.0")
    assert second.gate["answer"] != "promote"
    assert second.state == "candidate"
    with db.read() as session:
        paired = registry.compare(session, "small", "1.0.0", "1.1.0")["paired"]
    assert (paired["only_first_right"], paired["only_second_right"]) == (0, 0)


@sqlite_only
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda file: file.unlink(), "is not in the data folder"),
        (lambda file: file.write_bytes(file.read_bytes()[:-1]), "was changed or cut"),
    ],
)
def test_a_champion_whose_file_is_lost_or_changed_lets_nothing_be_promoted(
    db, settings, worker, train, first, damage, words
):
    release(db, worker, first)
    damage(artifacts.path(settings, first.artifact))
    second = train("small", candidates=["complement_nb"])
    assert second.gate["answer"] == "not_enough_evidence"
    assert "1.0.0, which serves, cannot be judged on these rows" in second.gate["reasons"][0]
    assert words in second.gate["reasons"][0]


@sqlite_only
def test_a_champion_with_other_inputs_leaves_the_floor_as_the_rule(
    db, settings, worker, train, first
):
    release(db, worker, first)
    artifacts.path(settings, first.artifact).unlink()
    with db.command(worker, "version.register") as command:
        served = command.session.get(ModelVersion, ("small", "1.0.0"))
        served.signature = {**served.signature, "input": {"text": "body"}}
    second = train("small", candidates=["complement_nb"])
    assert second.gate["answer"] == "promote"
    assert "1.0.0, which serves, cannot be judged" in second.gate["reasons"][-1]


def test_a_retrain_after_drift_learns_the_new_campaign_and_is_judged_twice(
    db, settings, worker, clock, train, first
):
    release(db, worker, first)
    drift = generator.drifted(800, seed=5, campaign="crypto", share=0.4)
    drift += drift[:50]  # some are asked again: the newest must not be learnt through the oldest
    serve(db, clock, first, drift)
    second = train("small", kind="retrain")
    assert second.gate["rule"].startswith("superiority on recent rows, non-inferiority on old")
    assert second.gate["answer"] == "promote", second.gate["reasons"]
    assert second.gate["recent"]["difference"]["value"] > 0.01
    with db.read() as session:
        before, learnt, judged = (
            {
                normalised(text)
                for text in versions.frame(settings, versions.get(session, id_))["message"]
            }
            for id_ in (first.train_dataset_id, second.train_dataset_id, second.test_dataset_id)
        )
        paired = registry.compare(session, "small", "1.0.0", "1.1.0")["paired"]
    newest = {normalised(message.text) for message in drift[-100:]} - before
    assert newest <= judged
    assert not newest & learnt
    assert paired["n"] == first.metrics["n_test"]


@sqlite_only
def test_recent_rows_that_the_champion_has_learnt_do_not_judge_a_retrain_on_other_data(
    db, settings, ana, worker, clock, train, first
):
    release(db, worker, first)
    with db.read() as session:
        rows, judged = (
            versions.frame(settings, versions.get(session, id_))
            for id_ in (first.train_dataset_id, first.test_dataset_id)
        )
    learnt = rows[~rows["message"].isin(judged["message"])].drop_duplicates("message").head(50)
    known = [
        generator.Message(*row, "") for row in zip(learnt["message"], learnt["label"], strict=True)
    ]
    fresh = generator.drifted(50, seed=5, campaign="crypto", share=1.0)
    serve(db, clock, first, [one for pair in zip(known, fresh, strict=True) for one in pair])
    other = pd.DataFrame([(m.text, m.label) for m in generator.messages(600, seed=8)])
    other.columns = ["message", "label"]
    data = versions.load(db, ana, settings, "small", frame=other, source="other rows")
    second = train("small", kind="retrain", dataset_id=data.id)
    assert second.gate["recent"]["n"] == len({normalised(one.text) for one in fresh[-15:]})


@sqlite_only
def test_a_retrain_on_poisoned_labels_is_not_promoted(db, worker, clock, train, first):
    release(db, worker, first)
    rng = random.Random(1)
    flipped = [
        generator.Message(m.text, rng.choice(["ham", "spam"]), m.kind)
        for m in generator.messages(800, seed=9)
    ]
    serve(db, clock, first, flipped)
    second = train("small", kind="retrain")
    assert second.gate["answer"] != "promote"


@sqlite_only
def test_disputed_and_foreign_labels_are_left_out_of_a_retrain(db, worker, clock, train, first):
    release(db, worker, first)
    drift = generator.drifted(50, seed=5, campaign="crypto", share=0.5)
    serve(db, clock, first, drift, disputed=True)
    foreign = [generator.Message(m.text, "maybe", m.kind) for m in drift]
    serve(db, clock, first, foreign)
    second = train("small", kind="retrain")
    assert second.train_dataset_id == first.train_dataset_id
    assert second.metrics["n_test"] == first.metrics["n_test"]


@sqlite_only
def test_data_that_fails_the_checks_refuses_the_training_with_its_sentence(
    db, ana, settings, worker, small_words
):
    specs.apply(db, ana, small_words.replace("min_rows: 200", "min_rows: 2000"))
    run = runs.request(db, ana, "small", trigger="test")
    claim = jobs.claim(db, "one", lease=LEASE)
    with pytest.raises(InvalidInputError, match="different rows; small needs 2,000"):
        carry_out(settings, db, claim, run.id, None)
    with db.read() as session:
        assert registry.versions(session, "small") == []


@sqlite_only
def test_an_edit_of_the_spec_does_not_change_a_run_that_was_asked_for(
    db, ana, settings, begun, small_words
):
    specs.apply(db, ana, small_words.replace("folds: 3", "folds: 2"))
    run, claim = begun
    carry_out(settings, db, claim, run.id, None)
    with db.read() as session:
        assert len(runs.get(session, run.id).leaderboard[0]["folds"]["f1"]) == 3


def interrupted(monkeypatch, then):
    """Let something happen after the model is judged and before it is registered."""
    from core.training import run as module

    judge = module._train

    def judge_and_then(*arguments):
        result = judge(*arguments)
        then()
        return result

    monkeypatch.setattr(module, "_train", judge_and_then)


def test_a_run_that_was_cancelled_meanwhile_registers_nothing(
    db, ana, settings, begun, monkeypatch
):
    run, claim = begun
    interrupted(monkeypatch, lambda: runs.cancel(db, ana, run.id))
    with pytest.raises(ConflictError, match="was cancelled; nothing was registered"):
        carry_out(settings, db, claim, run.id, None)
    assert_nothing_registered(db)


def test_a_worker_that_lost_its_claim_registers_nothing(db, settings, begun, clock, monkeypatch):
    run, claim = begun

    def take_over():
        clock.forward(hours=1)
        assert jobs.claim(db, "two", lease=LEASE).fence > claim.fence

    interrupted(monkeypatch, take_over)
    with pytest.raises(ConflictError, match="taken over"):
        carry_out(settings, db, claim, run.id, None)
    assert_nothing_registered(db)


def assert_nothing_registered(db):
    with db.read() as session:
        assert registry.versions(session, "small") == []
        assert [row.role for row in versions.history(session, "small")] == ["train"]


@sqlite_only
def test_a_finished_run_is_not_repeated(db, settings, begun):
    run, claim = begun
    assert carry_out(settings, db, claim, run.id, None) == "1.0.0"
    assert carry_out(settings, db, claim, run.id, None) == "1.0.0"
    with db.read() as session:
        assert len(registry.versions(session, "small")) == 1

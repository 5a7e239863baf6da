import shutil

import pandas as pd
import pytest

from core import jobs, runs, specs
from core.automation import data_checks
from core.automation.runners import RUNNERS
from core.datasets import suites, versions
from core.errors import InvalidInputError
from core.panel import Panel
from core.settings import ROOT
from core.tables.operational import Job
from core.training import data
from tests.core.datasets.test_versions import messages


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def panel(settings, db, clock):
    return Panel(settings.model_copy(update={"data_dir": None}), db, clock)


@pytest.fixture
def model(db, ana):
    return specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text()).name


@pytest.fixture
def upload(panel, ana, model):
    def put(frame):
        return versions.receive(panel.db, ana, panel.settings, model, frame, source="a file")

    return put


def claimed(panel):
    return jobs.claim(panel.db, "one", lease=pd.Timedelta(minutes=5).to_pytimedelta())


def stored(panel, row):
    with panel.db.read() as session:
        return versions.get(session, row.id)


def test_an_upload_waits_and_its_job_validates_it_with_the_library(panel, upload):
    row = upload(messages())
    assert row.state == "pending"
    claim = claimed(panel)
    assert RUNNERS[claim.kind].in_child
    assert RUNNERS[claim.kind].work(panel, claim)["state"] == "validated"
    after = stored(panel, row)
    assert (after.state, after.report["engine"]) == ("validated", "Great Expectations")


def test_an_upload_that_fails_a_hard_expectation_ends_rejected_with_its_rows(
    panel, upload, ana, model
):
    upload(messages())
    RUNNERS["validate"].work(panel, claimed(panel))
    strict = {"kind": "length_between", "column": "message", "severity": "hard"}
    strict["arguments"] = {"low": 1, "high": 7}
    suites.edit(panel.db, ana, model, [strict], reason="short ones only")
    row = upload(messages(700))
    RUNNERS["validate"].work(panel, claimed(panel))
    after = stored(panel, row)
    assert (after.state, after.report["failed"][0]["rows"][:2]) == ("rejected", [100, 101])


def test_an_upload_that_fails_the_quick_checks_is_rejected_at_once(panel, upload):
    assert upload(messages(50)).state == "rejected"
    assert claimed(panel) is None


def test_an_upload_of_known_content_is_the_known_version(panel, upload):
    first = upload(messages())
    data_checks.judge(panel, first.id)
    again = upload(messages())
    assert (again.id, again.state) == (first.id, "validated")


def test_an_upload_whose_rows_are_gone_ends_rejected_with_the_reason(panel, upload):
    row = upload(messages())
    claim = claimed(panel)
    RUNNERS["validate"].on_failure(panel, claim, "the rows are gone")
    after = stored(panel, row)
    assert (after.state, after.report["sentence"]) == (
        "rejected",
        "It could not be checked: the rows are gone",
    )


def progress_of(panel, run):
    with panel.db.read() as session:
        job = jobs.get(session, run.job_id)
        return job.note, [line.text for line in jobs.lines(session, run.job_id)]


def trained_at_once(panel, ana, model, **more):
    """Ask for a training while its upload is still being checked; returns the run, begun or not."""
    with panel.db.keep() as session:
        session.query(Job).delete()  # the training is claimed first
    run = runs.request(panel.db, ana, model, trigger="panel", **more)
    RUNNERS["train"].work(panel, claimed(panel))
    return run


@pytest.fixture(autouse=True)
def learns_at_once(monkeypatch):
    """What follows the check is tested elsewhere."""
    monkeypatch.setattr("core.training.run.carry_out", lambda *_of: "1.0.0")


def test_a_training_waits_for_the_check_of_its_data_and_says_so(panel, upload, ana, model):
    row = upload(messages())
    run = trained_at_once(panel, ana, model)
    note, lines = progress_of(panel, run)
    assert (stored(panel, row).state, run.state) == ("validated", "queued")
    assert note == "waits until the data is checked: 600 rows, a file"
    assert set(lines) == {note, "the data is validated"}


def test_a_training_on_data_that_the_check_rejects_fails_with_its_words(panel, upload, ana, model):
    row = upload(messages())
    strict = {"kind": "length_between", "column": "message", "severity": "hard"}
    strict["arguments"] = {"low": 1, "high": 2}
    suites.edit(panel.db, ana, model, [strict], reason="short ones only")
    run = trained_at_once(panel, ana, model, dataset_id=row.id)
    with panel.db.read() as session:
        spec = specs.active(session, model)
    with pytest.raises(InvalidInputError, match="This data cannot be trained on"):
        data.prepare(panel.db, panel.settings, run, spec)


def test_a_retrain_waits_for_no_upload_that_it_will_not_learn_from(panel, upload, ana, model):
    row = upload(messages())
    trained_at_once(panel, ana, model, kind="retrain")
    assert stored(panel, row).state == "pending"

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core import audit, jobs, notes, runs, specs
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.settings import ROOT
from core.specs import options
from core.tables.entities import DatasetVersion

LEASE = timedelta(seconds=30)


@pytest.fixture
def model(db, ana):
    return specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text()).name


@pytest.fixture
def begun(db, ana, model):
    run = runs.request(db, ana, model, trigger="panel")
    claim = jobs.claim(db, "one", lease=LEASE)
    runs.begin(db, claim, run.id)
    return run, claim


def test_a_request_queues_a_run_and_its_job_at_once(db, ana, model):
    run = runs.request(db, ana, "SMS-spam", trigger="panel", reason="new data")
    claim = jobs.claim(db, "one", lease=LEASE)
    assert (run.state, run.model, run.author, run.spec_version) == ("queued", model, "ana", 1)
    assert (claim.kind, claim.payload, claim.job_id) == ("train", {"run_id": run.id}, run.job_id)


def test_a_model_has_one_training_at_a_time(db, ana, model):
    first = runs.request(db, ana, model, trigger="panel")
    with pytest.raises(ConflictError, match=f"queued already: {first.id}"):
        runs.request(db, ana, model, trigger="api")


def test_while_changes_are_frozen_nobody_trains_without_ending_the_freeze(db, ana, apo, model):
    note = notes.write(db, apo, model=model, text="audit week", freeze=True, hours=4)
    with pytest.raises(ConflictError, match=r"frozen by apo .*audit week.*; end the freeze first"):
        runs.request(db, ana, model, trigger="panel")
    notes.end(db, ana, note.id)
    assert runs.request(db, ana, model, trigger="panel").state == "queued"


def test_of_many_requests_at_once_one_is_queued(db, ana, model):
    def ask(_):
        try:
            return runs.request(db, ana, model, trigger="panel").id
        except ConflictError:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    assert len([answer for answer in answers if answer]) == 1
    with db.read() as session:
        assert len(runs.history(session, model)) == 1


def test_chosen_candidates_keep_the_specs_parameters(db, ana, model):
    run = runs.request(db, ana, model, trigger="api", candidates=["complement_nb"])
    (chosen,) = run.candidates
    assert (chosen["kind"], chosen["parameters"]) == ("complement_nb", {"alpha": 0.1})


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        ["perceptron"],
        ["gradient_boosting"],
        [{"kind": "complement_nb", "x": 1}],
        [7],
        ["complement_nb"] * 2,
    ],
)
def test_candidates_that_cannot_be_used_are_refused(db, ana, model, candidates):
    with pytest.raises(InvalidInputError):
        runs.request(db, ana, model, trigger="api", candidates=candidates)


def test_options_of_one_training_are_kept_beside_the_spec(db, ana, model):
    given = {"trials": 5, "threshold": "f1", "selection_metric": "roc_auc"}
    run = runs.request(db, ana, model, trigger="api", options=given)
    with db.read() as session:
        spec = options.with_options(specs.active(session, model), runs.get(session, run.id).options)
    assert (spec.search.trials, spec.search.seconds) == (5, 600)
    assert (spec.threshold.by, spec.selection_metric) == ("f1", "roc_auc")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"trees": 5}, "A training has no option trees; it has trials, seconds"),
        ({"trials": 5000}, "The option trials cannot be used: Input should be less"),
        ({"threshold": "luck"}, "The option threshold.by cannot be used"),
        ({"seconds": float("nan")}, "The option seconds cannot be used"),
    ],
)
def test_options_that_cannot_be_used_are_refused_in_a_sentence(db, ana, model, given, words):
    with pytest.raises(InvalidInputError, match=words):
        runs.request(db, ana, model, trigger="api", options=given)


def test_a_training_may_be_stricter_than_the_gate_and_never_laxer(db, ana, model):
    text = (ROOT / "specs" / "sms_spam.yaml").read_text()
    strict = specs.parse(
        text.replace("floor: 0.93}", "floor: 0.93, auto_deploy_threshold: 0.95}", 1)
    )
    assert options.checked({"auto_deploy_threshold": 0.97}, strict)
    with pytest.raises(InvalidInputError, match="not laxer: 0.9"):
        options.checked({"auto_deploy_threshold": 0.9}, strict)


def test_a_request_needs_a_known_model_kind_and_data(db, ana, vic, model):
    with pytest.raises(NotFoundError, match="no model other"):
        runs.request(db, ana, "other", trigger="api")
    with pytest.raises(InvalidInputError, match="train or a retrain"):
        runs.request(db, ana, model, trigger="api", kind="guess")
    with pytest.raises(NotFoundError, match="no training data"):
        runs.request(db, ana, model, trigger="api", dataset_id="none")
    with pytest.raises(ForbiddenError):
        runs.request(db, vic, model, trigger="api")


def test_rejected_data_is_not_trained_on(db, ana, model, worker, clock):
    with db.command(worker, "dataset.load") as command:
        command.session.add(
            DatasetVersion(
                id="bad", model=model, role="train", state="rejected", digest="d", n_rows=1,
                columns=[], source="", report={}, author="ana", at=clock(),
            )
        )  # fmt: skip
    with pytest.raises(ConflictError, match="this data is rejected"):
        runs.request(db, ana, model, trigger="api", dataset_id="bad")


def test_a_waiting_training_is_cancelled_at_once(db, ana, model):
    run = runs.request(db, ana, model, trigger="panel")
    assert runs.cancel(db, ana, run.id, reason="wrong data").state == "cancelled"
    assert jobs.claim(db, "one", lease=LEASE) is None
    assert runs.request(db, ana, model, trigger="panel").state == "queued"


def test_a_running_training_is_cancelled_through_its_worker(db, ana, begun):
    run, claim = begun
    assert runs.cancel(db, ana, run.id).state == "running"
    assert jobs.heartbeat(db, claim, lease=LEASE) is False
    assert runs.cancelled(db, claim, run.id).state == "cancelled"
    with pytest.raises(ConflictError, match="cancelled already"):
        runs.cancel(db, ana, run.id)


def test_a_failed_training_keeps_its_reason(db, begun, clock):
    run, claim = begun
    clock.forward(minutes=1)
    failed = runs.fail(db, claim, run.id, "the data has one class")
    assert (failed.state, failed.error, failed.finished_at) == (
        "failed",
        "the data has one class",
        clock(),
    )
    assert runs.fail(db, claim, run.id, "again").error == "the data has one class"


def test_after_a_takeover_the_first_worker_can_neither_begin_nor_fail(db, begun, clock):
    run, first = begun
    clock.forward(minutes=5)
    second = jobs.claim(db, "two", lease=LEASE)
    assert second.fence > first.fence
    with pytest.raises(ConflictError, match="taken over"):
        runs.begin(db, first, run.id)
    with pytest.raises(ConflictError, match="taken over"):
        runs.fail(db, first, run.id, "late")
    assert runs.begin(db, second, run.id).state == "running"


def test_a_cancelled_training_does_not_begin(db, ana, model):
    run = runs.request(db, ana, model, trigger="panel")
    claim = jobs.claim(db, "one", lease=LEASE)
    runs.cancel(db, ana, run.id)
    runs.cancelled(db, claim, run.id)
    with pytest.raises(ConflictError, match="cancelled already"):
        runs.begin(db, claim, run.id)


def test_the_history_is_newest_first_and_audited(db, ana, model, clock):
    first = runs.request(db, ana, model, trigger="panel")
    runs.cancel(db, ana, first.id)
    clock.forward(minutes=1)
    second = runs.request(db, ana, model, trigger="panel")
    with db.read() as session:
        assert [run.id for run in runs.history(session)] == [second.id, first.id]
        assert [run.id for run in runs.history(session, "sms-spam", limit=1)] == [second.id]
        actions = [row.action for row in audit.tail(session, limit=3)]
    assert actions == ["run.request", "run.cancel", "run.request"]

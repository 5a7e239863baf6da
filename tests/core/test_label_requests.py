from datetime import timedelta

import pytest

from core import label_requests, labels, predictions
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.tables.entities import ModelVersion
from core.tables.telemetry import Label
from tests.fakes.answered import answer, watched


@pytest.fixture
def model(db, settings, clock, worker):
    """A released version that answered 60 times, 20 of them with a label."""
    model = watched(db, settings, clock)
    target = model.spec.target
    with db.command(worker, "version.register") as command:
        row = command.session.get_one(ModelVersion, (model.spec.name, "1.0.0"))
        row.signature = {"labels": [target.negative, target.positive]}
    answer(model, [0.9] * 20, [True] * 20)
    model.rows = answer(model, [0.2] * 40)
    return model


def ask(db, worker, model, rows=30):
    with db.command(worker, "action.execute") as command:
        return label_requests.open_in(command, model=model.spec.name, rows=rows, reason="to know")


def test_answers_without_a_label_are_drawn_at_random(db, worker, model):
    request = ask(db, worker, model)
    ids = {row.id: row.sample_key for row in model.rows}
    assert len(request.prediction_ids) == 30
    assert set(request.prediction_ids) <= set(ids)
    keys = [ids[key] for key in request.prediction_ids]
    assert keys == sorted(ids.values())[:30]


def test_fewer_are_asked_for_where_fewer_are_left(db, worker, model):
    assert len(ask(db, worker, model, rows=50).prediction_ids) == 40


def test_answers_of_more_than_a_week_ago_are_not_asked_about(db, worker, model):
    model.clock.now += timedelta(days=8)
    with pytest.raises(ConflictError, match="no answer of the last week without a label"):
        ask(db, worker, model)


def test_one_request_of_a_model_is_open(db, worker, model):
    ask(db, worker, model)
    with pytest.raises(ConflictError, match="30 labels of .* are asked for already"):
        ask(db, worker, model)


def test_of_two_requests_at_the_same_moment_one_is_refused(db, worker, model, monkeypatch):
    ask(db, worker, model)
    monkeypatch.setattr(label_requests, "open_of", lambda *_: None)  # the other is not seen yet
    with pytest.raises(ConflictError, match="by somebody else at the same moment"):
        ask(db, worker, model, rows=10)


@pytest.mark.parametrize("rows", [9, 5001])
def test_too_few_or_too_many_are_refused(db, worker, model, rows):
    with pytest.raises(InvalidInputError, match="ask for 10 to 5,000 labels"):
        ask(db, worker, model, rows=rows)


def test_what_a_person_says_counts_as_the_truth_and_toward_the_request(db, worker, ana, model):
    request = ask(db, worker, model)
    with db.read() as session:
        first, second = label_requests.unlabelled(session, request, 2)
    labels.tell(db, ana, first.id, model.spec.target.positive)
    with db.read() as session:
        assert label_requests.given(session, request) == 1
        assert label_requests.unlabelled(session, request, 1)[0].id == second.id
        truth = predictions.truths(session, model.spec.name, [first.id])
    assert truth[first.id].truth == model.spec.target.positive


def test_a_person_who_says_otherwise_later_is_taken_at_the_newer_word(db, worker, ana, model):
    request = ask(db, worker, model)
    target = model.spec.target
    for value in (target.positive, target.negative):
        labels.tell(db, ana, request.prediction_ids[0], value)
    with db.read() as session:
        [words] = labels.said(session, request.prediction_ids[:1]).values()
    assert [str(word) for word in words] == [
        f"panel:{ana.name}: {target.negative}, {target.positive} before"
    ]


def test_labels_of_clients_count_toward_the_request_too(db, worker, clock, model):
    request = ask(db, worker, model)
    with db.append() as session:
        said = {"value": model.spec.target.positive, "state": "confirmed", "at": clock()}
        session.add(Label(prediction_id=request.prediction_ids[0], source="client", **said))
    with db.read() as session:
        assert label_requests.given(session, request) == 1


@pytest.mark.parametrize(
    ("value", "error"), [("never heard", InvalidInputError), ("", InvalidInputError)]
)
def test_a_label_that_is_no_class_is_refused(db, worker, ana, model, value, error):
    request = ask(db, worker, model)
    with pytest.raises(error, match="the label is one of"):
        labels.tell(db, ana, request.prediction_ids[0], value)


def test_a_viewer_gives_no_labels_and_an_unknown_answer_has_none(db, worker, ana, vic, model):
    request = ask(db, worker, model)
    with pytest.raises(ForbiddenError):
        labels.tell(db, vic, request.prediction_ids[0], model.spec.target.positive)
    with pytest.raises(NotFoundError):
        labels.tell(db, ana, "nothing", model.spec.target.positive)


def test_a_request_is_closed_once_with_a_reason_and_another_may_follow(db, worker, ana, model):
    request = ask(db, worker, model)
    with pytest.raises(InvalidInputError, match="say why"):
        label_requests.close(db, ana, request.id, reason=" ")
    label_requests.close(db, ana, request.id, reason="enough")
    with pytest.raises(ConflictError, match="closed already: enough"):
        label_requests.close(db, ana, request.id, reason="again")
    assert ask(db, worker, model).state == "open"

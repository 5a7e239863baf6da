import shutil
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import select

from core import predictions
from core.errors import ConflictError, InvalidInputError, NotFoundError, UnavailableError
from core.keys import Caller
from core.releases import Arm
from core.serving import predict, service, shipper
from core.serving.feedback import Truth, take
from core.serving.predict import ModelFaultError, Request, predict_all
from core.tables.telemetry import Prediction
from tests import serving_kit as kit

SPAM = "claim your free prize now"


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    """One database is enough here: how rows are stored is the shipper's test."""
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


def shipped(serving, model="sms_spam"):
    shipper.ship(serving.db, serving.settings)
    with serving.db.read() as session:
        return predictions.recent(session, model, 1000)


def ask(serving, caller, **what):
    return predict.predict(serving, caller, Request(**what))


def test_an_answer_is_in_the_log_as_it_was_given(serving, caller):
    answer = ask(serving, caller, message=SPAM, user_id="ana", experiment_name="summer")
    (row,) = shipped(serving)
    assert (answer["prediction"], answer["model"], answer["model_version"]) == (
        "spam",
        "sms_spam",
        "1.0.0",
    )
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert (row.id, row.label, row.entity_id) == (answer["prediction_id"], "spam", "ana")
    assert (row.input, row.experiment, row.key_id) == ({"message": SPAM}, "summer", "key-1")
    assert row.probability == answer["probabilities"]["spam"]


def test_a_tabular_model_takes_features_with_gaps_and_unknown_words(serving, caller):
    for features in ({"age": 50, "sex": "1"}, {"age": None}, {}, {"sex": "never seen"}):
        answer = ask(serving, caller, model="Heart-Disease", features=features)
        assert answer["prediction"] in ("disease", "healthy")
    rows = shipped(serving, "heart_disease")
    assert {"features": {"age": 50.0, "sex": "1"}} in [row.input for row in rows]


def test_a_category_is_read_in_any_spelling_and_a_missing_one_as_in_training(serving, caller):
    scorer = serving.board.served["heart_disease"].champion
    spellings = [scorer.check({"sex": given}) for given in (1, 1.0, "1", " 1.0 ")]
    assert [one["sex"] for one in spellings] == ["1"] * 4
    frame = scorer._engine._frame([scorer.check({"sex": "1"}), scorer.check({"age": 50})])
    assert list(frame["sex"]) == ["1", None]
    assert (str(frame["age"].dtype), str(frame["sex"].dtype)) == ("float64", "object")


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ({"message": " \n"}, "empty"),
        ({"message": "x" * 20_001}, "at most 20,000"),
        ({"message": "a\x00b"}, "NUL"),
        ({}, "either message or features"),
        ({"message": "x", "features": {}}, "either message or features"),
        ({"features": {"age": 1}}, "reads a message"),
        ({"model": "heart_disease", "message": "x"}, "reads features"),
        ({"model": "heart_disease", "features": {"height": 1}}, "unknown feature"),
        ({"model": "heart_disease", "features": {"age": "old"}}, "finite number"),
        ({"model": "heart_disease", "features": {"age": float("nan")}}, "finite number"),
        ({"model": "heart_disease", "features": {"age": 10**400}}, "finite number"),
        ({"model": "heart_disease", "features": {"age": True}}, "finite number"),
        ({"model": "heart_disease", "features": {"sex": "x" * 201}}, "at most 200"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words_and_not_logged(serving, caller, what, error):
    with pytest.raises(InvalidInputError, match=error):
        ask(serving, caller, **what)
    assert shipped(serving) == []


def test_a_model_that_is_not_released_is_not_found(serving, caller):
    with pytest.raises(NotFoundError, match="no released model"):
        ask(serving, caller, model="ghost", message="x")


def test_with_nothing_released_the_answer_is_try_later(settings, db, caller):
    empty = service.build(settings)
    empty.refresh()
    with pytest.raises(UnavailableError, match="no model is released"):
        ask(empty, caller, message="x")
    with pytest.raises(UnavailableError):
        empty.ready()


def test_a_repeated_request_id_gets_the_same_answer_and_is_stored_once(serving, caller):
    first = ask(serving, caller, message=SPAM, request_id="r1")
    again = ask(serving, caller, message=SPAM, request_id="r1")
    assert again == first
    assert len(shipped(serving)) == 1


def test_a_repeated_request_id_on_another_process_has_the_same_id_and_is_stored_once(
    serving, settings, clock, caller
):
    other = service.build(settings, clock)
    other.refresh()
    first = ask(serving, caller, message=SPAM, request_id="r1")
    clock.forward(minutes=1)
    again = ask(other, caller, message=SPAM, request_id="r1")
    other.close()
    assert again["prediction_id"] == first["prediction_id"]
    assert len(shipped(serving)) == 1


def test_a_request_id_counts_within_one_batch_too(serving, caller):
    asked = [
        Request(message=SPAM, request_id="r1"),
        Request(message="see you", request_id="r1"),
        Request(message=SPAM, request_id="r1"),
    ]
    first, other, again = predict_all(serving, caller, asked)
    assert again == first
    assert isinstance(other, ConflictError)
    assert len(shipped(serving)) == 1


def test_a_request_id_used_for_another_request_is_a_conflict(serving, caller):
    ask(serving, caller, message=SPAM, request_id="r1")
    with pytest.raises(ConflictError, match="request_id"):
        ask(serving, caller, message="see you", request_id="r1")


def test_two_keys_may_use_the_same_request_id(serving, caller):
    other = Caller("key-2", "app", frozenset({"predict"}))
    first = ask(serving, caller, message=SPAM, request_id="r1")
    second = ask(serving, other, message=SPAM, request_id="r1")
    assert first["prediction_id"] != second["prediction_id"]
    assert len(shipped(serving)) == 2


def test_a_bad_item_never_fails_the_rest(serving, caller):
    answers = predict_all(
        serving, caller, [Request(message=SPAM), Request(message=""), Request(message="lunch")]
    )
    assert [isinstance(one, dict) for one in answers] == [True, False, True]
    assert len(shipped(serving)) == 2


def test_an_input_that_breaks_the_model_is_counted_and_the_others_are_answered(
    serving, caller, monkeypatch
):
    scorer = serving.board.served["sms_spam"].champion
    real = scorer.score

    def fragile(inputs):
        if "boom" in inputs:
            raise ValueError("boom")
        return real(inputs)

    monkeypatch.setattr(scorer, "score", fragile)
    good, bad = predict_all(serving, caller, [Request(message="ok"), Request(message="boom")])
    assert good["prediction"] == "ham"
    assert isinstance(bad, ModelFaultError)
    shipped(serving)
    with serving.db.read() as session:
        (row,) = predictions.volume(session, "sms_spam", 1, now=serving.clock())
    assert (row.requests, row.errors) == (2, 1)


def test_when_the_log_is_full_nothing_is_answered(serving, caller):
    serving.spool.max_bytes = 100
    with pytest.raises(UnavailableError, match="full"):
        ask(serving, caller, message=SPAM, request_id="r1")
    with pytest.raises(UnavailableError, match="full"):
        ask(serving, caller, message=SPAM, request_id="r1")
    with pytest.raises(UnavailableError):
        serving.spool.append([{"pad": "x" * 200}])


def shadowed(serving):
    kit.register(serving.db, serving.settings, "sms_spam", "2.0.0", flipped=True)
    arms = Arm("1.0.0", "control", 1000), Arm("2.0.0", "shadow", 0)
    kit.release(serving.db, "sms_spam", *arms)
    serving.refresh()


def test_a_shadow_answers_the_log_only_and_shares_the_label(serving, caller):
    shadowed(serving)
    serving.shadows.start()
    answer = ask(serving, caller, message=SPAM)
    serving.shadows.close()
    take(serving, [Truth(answer["prediction_id"], "spam")])
    assert [row.variant for row in shipped(serving)] == ["control"]
    with serving.db.read() as session:
        assert predictions.accuracy(session, "sms_spam").accuracy == 1.0
        assert predictions.accuracy(session, "sms_spam", shadow=True).accuracy == 0.0


def test_a_shadow_of_a_tabular_model_answers_a_request_without_any_feature(serving, caller):
    kit.register(serving.db, serving.settings, "heart_disease", "2.0.0")
    arms = Arm("1.0.0", "control", 1000), Arm("2.0.0", "shadow", 0)
    kit.release(serving.db, "heart_disease", *arms)
    serving.refresh()
    serving.shadows.start()
    answer = ask(serving, caller, model="heart_disease", features={})
    serving.shadows.close()
    take(serving, [Truth(answer["prediction_id"], answer["label"])])
    shipped(serving)
    with serving.db.read() as session:
        assert predictions.accuracy(session, "heart_disease", shadow=True).n == 1


def test_a_shadow_that_is_too_slow_is_dropped_and_the_client_still_answered(serving, caller):
    shadowed(serving)
    for _ in range(1005):  # the thread that takes them away is not running
        assert ask(serving, caller, message=SPAM)["variant"] == "control"
    assert serving.shadows.dropped == 5


def test_a_shadow_that_has_not_answered_yet_keeps_no_client_waiting(serving, caller, monkeypatch):
    shadowed(serving)
    slow, late = serving.board.served["sms_spam"].scorers["2.0.0"], threading.Event()
    score = slow.score
    monkeypatch.setattr(slow, "score", lambda inputs: late.wait(30) and score(inputs))
    serving.shadows.start()
    answers = [ask(serving, caller, message=SPAM) for _ in range(20)]
    assert {answer["model_version"] for answer in answers} == {"1.0.0"}
    late.set()
    serving.shadows.close()
    shipped(serving)
    with serving.db.read() as session:
        beside = session.scalars(select(Prediction).where(Prediction.is_shadow))
        assert {row.id for row in beside} == {answer["prediction_id"] for answer in answers}


def test_users_stay_with_their_arm_of_a_split(serving, caller):
    kit.register(serving.db, serving.settings, "sms_spam", "2.0.0", flipped=True)
    arms = Arm("1.0.0", "control", 500), Arm("2.0.0", "treatment", 500)
    kit.release(serving.db, "sms_spam", *arms)
    serving.refresh()
    seen = {
        user: {ask(serving, caller, message=SPAM, user_id=user)["variant"] for _ in range(5)}
        for user in ("a", "b", "c", "d", "e", "f", "g", "h")
    }
    assert all(len(variants) == 1 for variants in seen.values())
    assert {next(iter(variants)) for variants in seen.values()} == {"control", "treatment"}


def test_labels_are_taken_one_by_one_and_only_known_classes(serving, caller):
    answer = ask(serving, caller, message=SPAM)
    known = answer["prediction_id"]
    problems = take(serving, [Truth(known, "spam"), Truth(known, "eggs"), Truth("x", "spam")])
    assert [problem is None for problem in problems] == [True, False, False]
    shipped(serving)
    with serving.db.read() as session:
        assert [one.label.value for one in predictions.labelled(session, "sms_spam", limit=50)] == [
            "spam"
        ]


def test_a_label_of_another_model_is_refused_where_the_answer_is_remembered(serving, caller):
    answer = ask(serving, caller, message=SPAM, request_id="r1")
    foreign = Truth(answer["prediction_id"], "healthy")
    (problem,) = take(serving, [foreign])
    assert "does not know this label, only: ham, spam" in str(problem)


def test_a_label_of_another_model_that_came_before_its_prediction_counts_nowhere(serving, caller):
    answer = ask(serving, caller, message=SPAM)
    assert take(serving, [Truth(answer["prediction_id"], "healthy")]) == [None]
    shipped(serving)
    with serving.db.read() as session:
        assert predictions.accuracy(session, "sms_spam").n == 0
        assert predictions.labelled(session, "sms_spam", limit=50) == []
        assert predictions.arm_counts(session, "sms_spam", 1) == {"control": (1, 0, 0)}


def test_known_labels_are_taken_while_the_database_is_away(serving, caller, monkeypatch):
    answer = ask(serving, caller, message=SPAM)

    @contextmanager
    def away():
        raise UnavailableError("the database is away")
        yield

    monkeypatch.setattr(serving.db, "read", away)
    assert take(serving, [Truth(answer["prediction_id"], "spam")]) == [None]

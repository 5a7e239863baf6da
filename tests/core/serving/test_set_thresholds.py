"""A threshold that people set decides every label, wherever an answer is given."""

import pytest
from sklearn.pipeline import Pipeline
from sqlalchemy import select

from core import predictions
from core.explain import answers
from core.keys import Caller
from core.releases import Arm
from core.serving import artifacts, overview, predict, scorer, service, shipper
from core.serving.predict import Request
from core.tables.telemetry import Prediction
from tests import serving_kit as kit

CALLER = Caller("key-1", "shop", frozenset({"predict"}))
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEXTS = ["claim your free prize now", "see you at lunch", "free lunch", "urgent call"]


def ask(serving, text, **more):
    return predict.predict(serving, CALLER, Request(message=text, **more))


def between(serving):
    """Return a threshold that some texts lie above and others below, and the labels it gives."""
    chances = [ask(serving, text)["probabilities"]["spam"] for text in TEXTS]
    first, second = sorted(chances)[-2:]
    cut = (first + second) / 2
    return cut, ["spam" if chance > cut else "ham" for chance in chances]


def set_threshold(serving, cut, *arms):
    kit.release(serving.db, "sms_spam", *(arms or [Arm("1.0.0", "control", 1000, cut)]))
    serving.refresh()


def labels(serving):
    return [ask(serving, text)["label"] for text in TEXTS]


def test_it_takes_effect_with_the_next_look_and_loads_nothing(serving, monkeypatch):
    own, (cut, wanted) = labels(serving), between(serving)
    monkeypatch.setattr(artifacts, "load", None)
    set_threshold(serving, cut)
    assert labels(serving) == wanted != own
    kit.release(serving.db, "sms_spam", "1.0.0")
    serving.refresh()
    assert labels(serving) == own


def test_probabilities_stay_and_the_confidence_is_that_of_the_label(serving):
    before = ask(serving, TEXTS[0])
    set_threshold(serving, 0.99)
    after = ask(serving, TEXTS[0])
    assert after["probabilities"] == before["probabilities"]
    assert after["confidence"] == after["probabilities"]["ham"]


def test_many_at_once_and_the_log_say_the_same_as_one_alone(serving):
    cut, wanted = between(serving)
    set_threshold(serving, cut)
    found = predict.predict_all(serving, CALLER, [Request(message=text) for text in TEXTS])
    assert [answer["label"] for answer in found] == wanted
    shipper.ship(serving.db, serving.settings)
    with serving.db.read() as session:
        stored = {row.id: row.label for row in predict_rows(session)}
    assert [stored[answer["prediction_id"]] for answer in found] == wanted


def predict_rows(session):
    return predictions.recent(session, "sms_spam", 100)


def test_a_compiled_version_answers_as_its_pipeline_does(serving, settings, db):
    words, model = (step for _, step in kit.text_pipeline().steps)
    kit.compiled(
        db, settings, "sms_spam", "2.0.0", Pipeline([("features", words), ("model", model)])
    )
    cut, wanted = between(serving)
    set_threshold(serving, cut, Arm("2.0.0", "control", 1000, cut))
    assert serving.board.find("sms_spam").champion.compiled
    assert labels(serving) == wanted


def test_each_arm_has_its_own_and_a_shadow_too(serving, settings, db):
    kit.register(db, settings, "sms_spam", "2.0.0")
    arms = Arm("1.0.0", "control", 1000), Arm("2.0.0", "shadow", 0, 0.99)
    set_threshold(serving, None, *arms)
    serving.shadows.start()
    answer = ask(serving, TEXTS[0])
    serving.shadows.close()
    shipper.ship(db, settings)
    with db.read() as session:
        said = {row.version: row.label for row in predict_rows(session)}
        shadow = [row.label for row in shadows(session)]
    assert (answer["label"], said["1.0.0"], shadow) == ("spam", "spam", ["ham"])


def shadows(session):
    return session.scalars(select(Prediction).filter_by(is_shadow=True))


def test_a_process_that_starts_without_the_database_keeps_it(serving, settings, clock):
    cut, wanted = between(serving)
    set_threshold(serving, cut)
    alone = service.build(settings, clock)
    try:
        alone._restore()
        assert labels(alone) == wanted
    finally:
        alone.close()


def test_an_explanation_names_the_label_that_was_answered(serving, settings, db):
    set_threshold(serving, 0.99)
    answer = ask(serving, TEXTS[0])
    shipper.ship(db, settings)
    kit.release(db, "sms_spam", "1.0.0")  # it was answered under another release
    found = answers.stored(db, settings, answer["prediction_id"])
    assert (answer["label"], found.explanation.label) == ("ham", "ham")


def test_a_version_is_told_with_the_threshold_that_it_serves_with(serving, settings, db):
    set_threshold(serving, 0.7)
    with db.read() as session:
        assert overview.version(session, "sms_spam", "1.0.0")["threshold"] == 0.7
        told = overview.past(session, "sms_spam", None)["history"]
    assert [one["thresholds"] for one in told] == [{"1.0.0": 0.7}, {}]


def test_the_version_itself_stays_as_it_was_judged(serving, settings, db):
    row = kit.register(db, settings, "sms_spam", "2.0.0")
    loaded = scorer.load(settings, row)
    assert loaded.at(None) is loaded.at(loaded.threshold) is loaded
    assert (loaded.at(0.9).threshold, loaded.threshold) == (0.9, 0.5)

from core import predictions
from core.tables.telemetry import Label
from tests.pages.looking import text_of


def test_accuracy_from_labels_has_its_interval_and_n(open_page, traffic, ana):
    shown = text_of(open_page("performance", ana, model=traffic))
    assert "accuracy **0.9000 (95 % interval 0.6990 to 0.9721, n = 20)**" in shown


def test_volume_errors_latency_and_label_coverage_are_shown(open_page, traffic, ana):
    page = open_page("performance", ana, model=traffic)
    assert [one.value for one in page.metric] == ["60", "5.00%", "10 ms", "100.0%"]


def test_without_traffic_it_says_how_traffic_comes(open_page, served, ana):
    shown = text_of(open_page("performance", ana, model=served))
    assert "No request was answered in the last 24 hours." in shown
    assert "POST /predict" in shown
    assert "POST /feedback" in shown


def test_the_span_lives_in_the_address(open_page, traffic, ana):
    page = open_page("performance", ana, model=traffic, span="7 days")
    assert page.metric[0].label == "Requests, 7 days"


def test_disputed_labels_are_listed_and_an_operator_decides_one(open_page, traffic, panel, ana):
    with panel.db.append() as db:
        (one,) = predictions.recent(db, traffic, 1)
        key = {"prediction_id": one.id, "source": "shop", "at": one.at}
        db.add(Label(value="ham", state="confirmed", **key))
    page = open_page("performance", ana, model=traffic)
    assert "1 prediction was labelled differently by two sources" in text_of(page)
    page.text_input[0].input("read it")
    next(button for button in page.button if button.label == "Decide").click().run()
    assert "labelled differently" not in text_of(page)

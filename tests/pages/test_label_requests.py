import pytest

from core import label_requests
from tests.fakes.counted import count
from tests.pages.conftest import prediction
from tests.pages.looking import text_of


@pytest.fixture
def wanted(panel, served, worker):
    """Twelve answers without a label, whose truth is asked for."""
    with panel.db.append() as db:
        rows = [prediction(served, f"p{number}", panel.clock()) for number in range(12)]
        db.add_all(rows)
        count(db, rows)
    with panel.db.command(worker, "action.execute") as command:
        return label_requests.open_in(command, model=served, rows=10, reason="to know")


def test_a_person_gives_one_label_after_the_other(open_page, panel, wanted, ana):
    page = open_page("performance", ana, model=wanted.model)
    assert "Asked for by worker: to know" in text_of(page)
    first = wanted.prediction_ids[0]
    page.button(key=f"label-{first}-{prediction_label(page, first)}").click().run()
    with panel.db.read() as db:
        assert label_requests.given(db, wanted) == 1
    assert not [one for one in page.button if one.key and one.key.startswith(f"label-{first}")]


def prediction_label(page, prediction_id):
    keys = [one.key for one in page.button if one.key]
    return next(key for key in keys if key.startswith(f"label-{prediction_id}")).rsplit("-", 1)[1]


def test_what_was_answered_is_not_shown_beside_the_question(open_page, wanted, ana):
    page = open_page("performance", ana, model=wanted.model)
    assert "What is true of this?" in text_of(page)
    assert "said spam" not in text_of(page)


def test_a_viewer_sees_how_far_it_is_and_no_buttons(open_page, wanted, vic):
    page = open_page("performance", vic, model=wanted.model)
    assert "Asked for by worker" in text_of(page)
    assert not [one for one in page.button if one.key and one.key.startswith("label-")]


def test_without_a_request_nothing_is_asked(open_page, served, ana):
    assert "Labels wanted" not in text_of(open_page("performance", ana, model=served))


def test_an_answer_that_nobody_can_judge_is_left_and_the_next_one_is_asked(
    open_page, panel, wanted, ana
):
    page = open_page("performance", ana, model=wanted.model)
    first, second = wanted.prediction_ids[:2]
    page.button(key=f"leave-{first}").click().run()
    keys = [one.key for one in page.button if one.key]
    assert any(key.startswith(f"label-{second}") for key in keys)
    with panel.db.read() as db:
        assert label_requests.given(db, wanted) == 0

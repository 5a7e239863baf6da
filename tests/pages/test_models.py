from core import recommendations
from tests.pages.looking import button, field, text_of


def test_versions_what_serves_and_the_gate_are_said_in_words(open_page, served, ana):
    shown = text_of(open_page("models", ana, model=served))

    assert "3 versions; 2.0.0 serves; the newest is 3.0.0: the gate says: better" in shown
    assert "more answers are right than those of what serves" in shown
    assert "accuracy 0.9800 (n = 1,000)" in shown


def test_two_versions_stand_side_by_side(open_page, served, ana):
    page = open_page("models", ana, model=served, a="1.0.0", b="3.0.0")
    row = [cell.replace("\\", "") for cell in page.table[0].value.loc["accuracy"]]
    assert row == ["0.9600", "0.9800", "0.0200"]


def test_a_candidate_is_proposed_with_a_reason(open_page, panel, served, ana):
    page = open_page("models", ana, model=served)
    button(page, "Propose").click().run()
    assert "Say why" in page.error[0].value

    field(page, "Why?").input("it knows crypto")
    button(page, "Propose").click().run()

    with panel.db.read() as db:
        row = recommendations.waiting(db)[0]
    assert (row.kind, row.arguments, row.proposed_by) == ("promote", {"version": "3.0.0"}, "ana")


def test_what_serves_is_not_proposed(open_page, served, ana):
    page = open_page("models", ana, model=served, version="2.0.0")
    assert not [one for one in page.button if one.label.startswith("Propose")]


def test_a_viewer_cannot_propose(open_page, served, vic):
    page = open_page("models", vic, model=served)
    assert not [one for one in page.button if one.label.startswith("Propose")]


def test_an_unknown_version_is_a_friendly_page(open_page, served, ana):
    page = open_page("models", ana, model=served, version="9.9.9")
    assert "Not found" in [one.value for one in page.title]
    assert "has no version 9.9.9" in text_of(page)


def test_an_untrained_model_names_the_next_step(open_page, model, ana):
    assert "Train a first version." in text_of(open_page("models", ana, model=model))

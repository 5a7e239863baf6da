import pytest

from core import recommendations
from core.experiments import lifecycle
from core.tables.entities import ModelVersion
from tests.pages.looking import button, field, text_of


@pytest.fixture
def drafted(panel, served, ana):
    return lifecycle.draft(
        panel.db,
        ana,
        model=served,
        name="three",
        control="2.0.0",
        treatment="3.0.0",
        share=0.1,
        hypothesis="3.0.0 is right more often",
        minimum_effect=0.02,
    )


@pytest.fixture
def running(panel, drafted, worker):
    with panel.db.command(worker, "experiment.start") as command:
        lifecycle.start_in(command, drafted.id)
    return drafted


def test_the_calculator_says_how_many_labels_are_needed(open_page, served, ana):
    shown = text_of(open_page("experiments", ana, model=served))
    assert "labelled predictions** of both arms together (80 % power, 5 % error)" in shown


def test_an_experiment_is_drafted(open_page, panel, served, ana):
    page = open_page("experiments", ana, model=served)
    field(page, "Name").input("three")
    field(page, "What do you expect?").input("better")

    button(page, "Draft").click().run()

    with panel.db.read() as db:
        row = lifecycle.all(db, served)[0]
    assert (row.name, row.control, row.treatment, row.share) == ("three", "2.0.0", "3.0.0", 0.1)


def test_its_start_is_proposed_not_done(open_page, panel, drafted, ana):
    page = open_page("experiments", ana, model="sms_spam")
    button(page, "Propose to start").click().run()

    with panel.db.read() as db:
        assert recommendations.waiting(db)[0].arguments == {"experiment_id": drafted.id}
        assert lifecycle.running(db, "sms_spam") is None


def test_a_draft_whose_start_waits_links_to_the_proposal(open_page, drafted, ana):
    page = open_page("experiments", ana, model="sms_spam")
    button(page, "Propose to start").click().run()
    assert "Propose to start" not in [one.label for one in page.button]
    (waits,) = [one for one in page.get("page_link") if "Waits for" in one.proto.label]
    assert "Start experiment three" in waits.proto.label


@pytest.fixture
def won(panel, running, ana, worker):
    """The experiment, stopped after its treatment was right more often."""
    lifecycle.stop(panel.db, ana, running.id, reason="enough seen")
    interval = {"value": 0.04, "low": 0.01, "high": 0.07, "level": 0.95, "n": 900}
    with panel.db.command(worker, "experiment.start") as command:
        row = lifecycle.get(command.session, running.id)
        row.result, row.verdict = "won", {"difference": 0.04, "interval": interval}
    return running


def test_the_release_of_a_winner_is_proposed_with_the_result_as_evidence(
    open_page, panel, won, ana
):
    page = open_page("experiments", ana, model="sms_spam")
    assert "Propose to release 3.0.0." in text_of(page).replace("\\", "")
    button(page, "Propose to release 3.0.0").click().run()

    with panel.db.read() as db:
        (row,) = recommendations.waiting(db)
    (cited,) = [one for one in row.evidence if one["fact"] == "experiment.won"]
    assert (row.kind, row.arguments) == ("promote", {"version": "3.0.0"})
    assert (cited["value"], cited["interval"], cited["n"]) == (0.04, [0.01, 0.07], 900)
    assert "Propose to release 3.0.0" not in [one.label for one in page.button]


def test_a_winner_that_the_gate_holds_back_is_not_proposed(open_page, panel, won, ana, worker):
    with panel.db.command(worker, "version.register") as command:
        row = command.session.get_one(ModelVersion, ("sms_spam", "3.0.0"))
        row.gate = {"answer": "refuse"}
    page = open_page("experiments", ana, model="sms_spam")
    assert "The gate does not let it through" in text_of(page)
    assert "Propose to release 3.0.0" not in [one.label for one in page.button]


def test_a_shadow_is_drafted_without_a_share(open_page, panel, served, ana):
    page = open_page("experiments", ana, model=served)
    page.radio[0].set_value("shadow").run()
    field(page, "Name").input("beside")
    field(page, "What do you expect?").input("better")
    button(page, "Draft").click().run()

    with panel.db.read() as db:
        row = lifecycle.all(db, served)[0]
    assert (row.mode, row.share) == ("shadow", 0.0)
    assert "3.0.0 in shadow, for the log only" in text_of(page)


def test_another_share_of_a_running_canary_is_proposed(open_page, panel, running, ana):
    page = open_page("experiments", ana, model="sms_spam")
    page.number_input[0].set_value(25.0)
    button(page, "Propose this share").click().run()

    with panel.db.read() as db:
        (waits,) = recommendations.waiting(db)
    assert waits.arguments == {"experiment_id": running.id, "share": "0.250"}


def test_a_running_shadow_offers_no_share(open_page, panel, served, ana, worker):
    row = lifecycle.draft(
        panel.db, ana, model=served, name="beside", control="2.0.0", treatment="3.0.0",
        mode="shadow", hypothesis="better",
    )  # fmt: skip
    with panel.db.command(worker, "experiment.start") as command:
        lifecycle.start_in(command, row.id)
    page = open_page("experiments", ana, model="sms_spam")
    assert "Propose this share" not in [one.label for one in page.button]
    assert any("Stop; 2.0.0" in one.label for one in page.button)


def test_a_running_one_shows_its_arms_and_verdict(open_page, running, ana):
    shown = text_of(open_page("experiments", ana, model="sms_spam"))
    assert "three: No outcome is known yet." in shown
    assert "treatment" in shown


def test_stopping_needs_a_reason_and_gives_everything_to_the_control(
    open_page, panel, running, ana
):
    page = open_page("experiments", ana, model="sms_spam")
    button(page, "Stop").click().run()
    assert "Say why" in page.error[0].value

    field(page, "Why stop?").input("enough seen")
    button(page, "Stop").click().run()

    assert "No experiment runs" in text_of(page)


def test_a_viewer_sees_no_buttons(open_page, running, vic):
    page = open_page("experiments", vic, model="sms_spam")
    assert not [b for b in page.button if b.label.startswith(("Stop", "Draft", "Propose"))]


def test_an_unknown_id_is_a_friendly_page(open_page, served, ana):
    page = open_page("experiments", ana, id="nope")
    assert "Not found" in [one.value for one in page.title]

import pytest

from core import jobs, predictions, recommendations, registry, releases
from core.releases import Arm
from core.tables.entities import ModelVersion
from tests.pages.looking import button, field, text_of


def test_versions_what_serves_and_the_gate_are_said_in_words(open_page, served, ana):
    shown = text_of(open_page("models", ana, model=served))

    assert "3 versions; 2.0.0 serves; the newest is 3.0.0: the gate says: better" in shown
    assert "more answers are right than those of what serves" in shown
    assert "On 1,000 held-out rows; positive from 0.5." in shown.replace("*", "")


def plain(cells):
    return [cell.replace("\\", "") for cell in cells]


def test_two_versions_stand_side_by_side_and_the_difference_says_which_way(
    open_page, served, ana, measured
):
    measured("1.0.0", brier=0.05)
    measured("3.0.0", brier=0.03)
    page = open_page("models", ana, model=served, a="1.0.0", b="3.0.0")
    (shown,) = [one.value for one in page.table if "3.0.0 minus 1.0.0" in one.value.columns]
    assert plain(shown.loc["accuracy"]) == ["0.9600", "0.9800", ":green[●] +0.0200 better"]
    smaller = plain(shown.loc["Brier score (smaller is better)"])
    assert smaller[2] == ":green[●] -0.0200 better"


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"brier": 0.030001}, "0.0000"),
        ({"brier": 0.031, "intervals": {"brier": [0.02, 0.04]}}, "+0.0010 may be chance"),
        ({"brier": 0.05, "intervals": {"brier": [0.045, 0.055]}}, ":red[●] +0.0200 worse"),
    ],
)
def test_a_difference_that_may_be_chance_is_called_neither_better_nor_worse(
    open_page, served, ana, measured, metrics, said
):
    measured("1.0.0", brier=0.03, intervals={"brier": [0.02, 0.04]})
    measured("3.0.0", **metrics)
    page = open_page("models", ana, model=served, a="1.0.0", b="3.0.0")
    (shown,) = [one.value for one in page.table if "3.0.0 minus 1.0.0" in one.value.columns]
    assert plain(shown.loc["Brier score (smaller is better)"])[2] == said


def test_accuracy_is_judged_by_the_same_rows(open_page, served, ana, measured):
    equal = {"champion": "1.0.0", "n": 1000, "only_champion_right": 19, "only_candidate_right": 20}
    measured("3.0.0", {**REFUSED, **equal})
    page = open_page("models", ana, model=served, a="1.0.0", b="3.0.0")
    shown = page.table[[("3.0.0 minus 1.0.0" in one.value) for one in page.table].index(True)]
    assert plain(shown.value.loc["accuracy"])[2] == "+0.0200 may be chance"


def test_what_serves_is_not_said_to_be_released_and_a_first_one_had_nothing_to_meet(
    open_page, served, ana, measured
):
    shown = text_of(open_page("models", ana, model=served, version="2.0.0"))
    assert "The gate said: better." in shown.replace("\\", "")
    measured("3.0.0", {"answer": "promote", "rule": "first", "n": 1000})
    shown = text_of(open_page("models", ana, model=served)).replace("\\", "")
    assert "good enough, with nothing to compare it with; release it." in shown


def test_a_slice_with_too_few_rows_says_how_many_it_takes(open_page, served, ana, measured):
    (part,) = REFUSED["slices"]
    small = {**part, "n": 75, "answer": "not_enough_evidence"}
    measured("3.0.0", {**REFUSED, "min_slice": 300, "slices": [small]})
    page = open_page("models", ana, model=served)
    (shown,) = [one.value for one in page.table if one.value.index.name == "slice"][:1]
    assert plain(shown.loc["short texts"])[2] == ":orange[●] under 300 rows: too few to pass"


@pytest.fixture
def measured(panel, served, worker):
    """Change what is stored of a version."""

    def put(number, gate=None, state="candidate", **metrics):
        with panel.db.command(worker, "version.register") as command:
            row = command.session.get_one(ModelVersion, (served, number))
            row.metrics, row.state = {**row.metrics, **metrics}, state
            row.gate = gate or row.gate

    return put


def test_what_lacks_evidence_is_judged_again_at_the_press_of_a_button(
    open_page, served, ana, panel, measured, monkeypatch
):
    monkeypatch.setattr(predictions, "labels_since", lambda *_: 70)
    former = {"answer": "not_enough_evidence", "n": 90, "at": "2026-11-01T00:00:00+00:00"}
    measured("3.0.0", {"answer": "not_enough_evidence", "n": 100, "earlier": [former], "look": 2})
    page = open_page("models", ana, model=served)
    assert "Before, on 2026-11-01: not enough evidence (n = 90)" in text_of(page)
    button(page, "Judge again with 70 new labels").click().run()
    with panel.db.read() as session:
        (job,) = [one for one in jobs.recent(session) if one.kind == "judge_again"]
    assert job.payload == {"model": served, "version": "3.0.0", "look": 3}


REFUSED = {
    "answer": "refuse",
    "reasons": ["worse on slice 'short texts'"],
    "champion": "2.0.0",
    "n": 1000,
    "only_champion_right": 60,
    "only_candidate_right": 20,
    "slices": [
        {
            "name": "short texts",
            "n": 400,
            "answer": "refuse",
            "difference": {"value": -0.15, "low": -0.2, "high": -0.1, "level": 0.95, "n": 400},
            "p_value": 0.001,
        }
    ],
}


def test_the_gate_is_told_slice_by_slice(open_page, served, ana, measured):
    measured("3.0.0", REFUSED)
    page = open_page("models", ana, model=served)
    (shown,) = [one.value for one in page.table if one.value.index.name == "slice"][:1]
    words = ["400", "-15.0% (-20.0% to -10.0%)", ":red[●] worse"]
    assert plain(shown.loc["short texts"]) == words
    page = open_page("models", ana, model=served, a="3.0.0", b="2.0.0")
    (_, shown) = [one.value for one in page.table if one.value.index.name == "slice"]
    assert plain(shown.loc["short texts"])[1] == "+15.0% (+10.0% to +20.0%)"


def test_an_operator_cannot_propose_what_the_gate_refused(open_page, served, ana, measured):
    measured("3.0.0", REFUSED, state="rejected")
    page = open_page("models", ana, model=served)
    labels = [one.label for one in page.button]
    assert "Propose for release" not in labels
    assert "Override the gate" not in labels
    assert "An approver may override" in text_of(page)


def test_an_approver_overrides_with_a_reason_and_then_proposes(
    open_page, panel, served, apo, measured
):
    measured("3.0.0", REFUSED, state="rejected")
    page = open_page("models", apo, model=served)
    button(page, "Override the gate").click().run()
    assert "Say why" in page.error[0].value.replace("\\", "")
    field(page, "Why?").input("no short texts come any more")
    button(page, "Override the gate").click().run()

    assert "overridden by apo" in text_of(page)
    assert button(page, "Propose for release")
    with panel.db.read() as db:
        assert registry.get(db, served, "3.0.0").overridden["answer"] == "refuse"


def test_a_candidate_becomes_the_challenger_and_goes_back(open_page, panel, served, ana):
    page = open_page("models", ana, model=served)
    button(page, "Promote to staging").click().run()
    with panel.db.read() as db:
        assert registry.challenger(db, served).version == "3.0.0"
    button(page, "Take out of staging").click().run()
    with panel.db.read() as db:
        assert registry.challenger(db, served) is None


def test_a_version_is_archived_with_a_reason_but_not_the_last_way_back(
    open_page, panel, served, ana
):
    for version in ("3.0.0", "1.0.0"):
        page = open_page("models", ana, model=served, version=version)
        field(page, "Why is it archived?").input("superseded")
        button(page, "Archive it").click().run()
    told = page.error[0].value.replace("\\", "")
    assert "1.0.0 is the only version that a rollback could serve" in told
    with panel.db.read() as db:
        states = [registry.get(db, served, one).state for one in ("1.0.0", "3.0.0")]
    assert states == ["approved", "archived"]


def test_what_served_on_a_day_is_said(open_page, served, ana, clock):
    page = open_page("models", ana, model=served)
    page.toggle[0].set_value(True).run()
    page.date_input[0].set_value(clock.now.date()).run()
    assert "2.0.0 served then." in text_of(page).replace("*", "")
    page.date_input[0].set_value(clock.now.date().replace(year=2020)).run()
    assert "Nothing of sms_spam served at 2020" in text_of(page)


def test_a_candidate_is_proposed_with_a_reason(open_page, panel, served, ana):
    page = open_page("models", ana, model=served)
    button(page, "Propose").click().run()
    assert "Say why" in page.error[0].value.replace("\\", "")

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


def test_a_threshold_that_people_set_is_shown_beside_the_versions_own(
    open_page, panel, served, worker, ana
):
    with panel.db.command(worker, "release.promote") as command:
        current = releases.current(command.session, served)
        arms = [Arm(releases.champion(current), "control", 1000, 0.7)]
        releases.append(command, served, arms, replaces=current.seq)
    page = open_page("models", ana, model=served, version=arms[0].version)
    assert "set by people: positive from 0.7" in text_of(page)
    assert f"positive is {arms[0].version} from a probability of 0.7" in text_of(
        open_page("releases", ana, model=served)
    ).replace("\\", "")

from pydantic import SecretStr

from core import notes, recommendations
from tests.pages.looking import text_of


def drawer(page):
    page.session_state["propose"] = True
    return page.run()


def fill(page, kind, why, **arguments):
    page.selectbox(key="propose-kind").select(kind).run()
    for label, value in arguments.items():
        next(one for one in page.text_input if one.label.startswith(label)).input(value)
    page.text_input(key=f"why-{kind}").input(why)
    next(one for one in page.button if one.label == "Propose").click().run()
    return page


def test_a_person_proposes_other_weights_and_they_wait_for_an_approver(
    open_page, panel, served, ana
):
    page = drawer(open_page("releases", ana, model=served))
    assert "An approver decides." in text_of(page)
    fill(page, "change_weights", "to see", Share="0.2")
    with panel.db.read() as db:
        (row,) = recommendations.waiting(db)
    assert (row.kind, row.arguments["share"], row.proposed_by) == (
        "change_weights",
        "0.2",
        ana.name,
    )


def test_without_a_reason_or_out_of_range_nothing_is_proposed(open_page, panel, served, ana):
    page = drawer(open_page("releases", ana, model=served))
    assert "Say why" in text_of(fill(page, "set_threshold", "", Threshold="0.4"))
    assert "threshold" in text_of(fill(page, "set_threshold", "why", Threshold="7")).lower()
    with panel.db.read() as db:
        assert recommendations.waiting(db) == []


def test_what_nothing_is_set_up_for_is_not_offered(open_page, served, ana):
    page = drawer(open_page("releases", ana, model=served))
    offered = page.selectbox(key="propose-kind").options
    assert "Retrain" in offered
    assert not {"Tell the channels about", "Scale"} & {*offered}


def test_every_kind_of_the_form_can_be_chosen(open_page, panel, served, ana):
    panel.settings.slack_webhook_url = SecretStr("http://127.0.0.1:9")
    panel.settings.scale_command = "scale {replicas}"
    page = drawer(open_page("releases", ana, model=served))
    for kind in page.selectbox(key="propose-kind").options:
        assert kind
    for kind in ("collect_labels", "freeze", "silence", "notify", "scale", "retrain"):
        page.selectbox(key="propose-kind").select(kind).run()
        assert not page.exception


def test_another_gate_is_proposed_from_the_values_of_now(open_page, panel, served, ana):
    page = drawer(open_page("releases", ana, model=served))
    fill(page, "change_gate", "rows are rare", Accuracy="0.5")
    with panel.db.read() as db:
        (row,) = recommendations.waiting(db)
    assert row.title.startswith(f"Change the gate of {served}: ")
    assert row.title.count("→") == 1
    assert row.title.endswith("→ 0.5")


def test_a_viewer_proposes_nothing(open_page, served, vic):
    page = open_page("releases", vic, model=served)
    assert "Propose a change" not in [one.label for one in page.expander]


def test_a_freeze_is_said_where_changes_are_made(open_page, panel, served, ana):
    notes.write(panel.db, ana, model="*", text="audit week", freeze=True, hours=4)
    shown = text_of(open_page("releases", ana, model=served))
    assert "Changes of all models are frozen by ana" in shown
    assert "audit week" in shown

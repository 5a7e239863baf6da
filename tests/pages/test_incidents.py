from core import incidents, outbox
from tests.pages.looking import button, field, text_of


def test_an_open_incident_shows_severity_owner_and_timeline(open_page, incident, ana):
    shown = text_of(open_page("incidents", ana))

    assert "1 open, 1 of them not taken by anybody." in shown
    assert "The data has drifted: SMS spam 2.0.0" in shown
    assert "**worker** opened: drift" in shown


def test_acknowledging_makes_the_person_the_owner(open_page, panel, incident, ana):
    page = open_page("incidents", ana)
    button(page, "Acknowledge").click().run()

    assert "taken by ana" in text_of(page)
    with panel.db.read() as db:
        assert incidents.get(db, incident.id).state == "acknowledged"


def test_resolving_needs_a_reason(open_page, panel, incident, ana):
    page = open_page("incidents", ana)
    button(page, "Resolve").click().run()
    assert "Say why" in page.error[0].value

    field(page, "Why is it over?").input("the campaign is over")
    button(page, "Resolve").click().run()

    assert "No incident is open." in text_of(page)


def test_a_viewer_has_no_buttons_to_act(open_page, incident, dead_message, vic):
    page = open_page("incidents", vic)
    assert not [b for b in page.button if b.label in ("Acknowledge", "Resolve", "Send again")]


def test_one_incident_has_an_address(open_page, incident, ana):
    page = open_page("incidents", ana, id=incident.id)
    assert "The data has drifted: SMS spam 2.0.0" in text_of(page)
    assert "Resolved" not in [one.value for one in page.subheader]


def test_an_unknown_incident_is_a_friendly_page(open_page, served, ana):
    page = open_page("incidents", ana, id="nope")
    assert page.title[0].value == "Not found"


def test_a_dead_message_can_be_sent_again(open_page, panel, served, dead_message, ana):
    page = open_page("incidents", ana)
    assert "1 message could not be sent." in text_of(page)
    assert "the address does not answer" in text_of(page)

    button(page, "Send again").click().run()

    with panel.db.read() as db:
        assert outbox.recent(db)[0].state == "pending"


def test_without_incidents_it_says_so(open_page, served, ana):
    shown = text_of(open_page("incidents", ana))
    assert "No incident is open." in shown
    assert "Nothing is wrong that we know of." in shown

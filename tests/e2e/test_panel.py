"""The panel as people use it, one test per promise; the database is seeded, nothing else runs."""

import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, select

from core import recommendations
from core.access import Actor, Role
from core.errors import ForbiddenError
from core.tables.access import AuditEvent
from core.tables.entities import ActionRow
from tests.e2e import panel_home as homes
from tests.e2e import panel_rows
from tests.e2e.house import House, button, form

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CARDS = "[class*=st-key-card-]"


@pytest.fixture(scope="module")
def empty(browser, postgresql, tmp_path_factory):
    """An installation on PostgreSQL with the shipped specs and one admin."""
    yield from empty_on(browser, postgresql, tmp_path_factory.mktemp("empty"))


def empty_on(browser, postgresql, home):
    from tests.conftest import own_database

    for url in own_database(postgresql, "template1"):
        panel = homes.open_home(home, url, people=["adm"])
        house = House(browser, panel, PILOTHOUSE_DATABASE_URL=url)
        del house.product.env["SLACK_WEBHOOK_URL"]
        house.start()
        yield house
        house.close()


@pytest.fixture
def proposal(house):
    """A decision that an operator may take, made for this test."""
    title = "Retrain heart_disease"
    return homes.put(house.panel, "retrain", title, model="heart_disease")


@pytest.fixture
def open_proposal(at, proposal):
    def open_by(name="ana"):
        person = at(name)
        person.moves(f"/recommendation?id={proposal.id}")
        return person

    return open_by


def state(house, row):
    with house.panel.db.read() as db:
        return recommendations.get(db, row.id).state


# 8 to 10: what a viewer may not


def test_a_viewer_sees_no_page_for_acting(at):
    me = at("vic")
    me.moves("/")
    listed = me.page.get_by_test_id("stSidebarNavLink").all_inner_texts()
    assert "Inbox" in listed
    assert {"Training", "Data", "Admin"}.isdisjoint(listed)


@pytest.mark.parametrize("stem", ["training", "data", "admin"])
def test_a_forbidden_address_shows_no_access(at, stem):
    me = at("vic")
    me.opens(f"/{stem}")
    expect(me.page.locator("h1")).to_have_text("No access")
    me.click("Go to the inbox", "link")
    expect(me.page.locator("h1").first).to_have_text("Inbox")


def test_a_viewer_is_offered_no_decision_and_core_refuses_one_all_the_same(
    open_proposal, house, proposal
):
    me = open_proposal("vic")
    me.sees("deciding needs the role operator")
    expect(button(me, "Reject")).to_have_count(0)
    pretender = Actor("vic", Role.ADMIN)
    with pytest.raises(ForbiddenError):
        recommendations.reject(house.panel.db, pretender, proposal.id, reason="a trick")
    assert state(house, proposal) == "proposed"


# 11 to 14: the inbox


def test_the_inbox_is_the_landing_page(at):
    me = at("ana")
    me.moves("/")
    expect(me.page.locator("h1").first).to_have_text("Inbox")
    me.sees(re.compile(r"decisions? waiting"))


def test_the_count_of_decisions_equals_the_cards(at):
    me = at("ana")
    me.moves("/")
    n = int(re.search(r"(\d+) decisions waiting", me.page.inner_text("body"))[1])
    assert n >= 3
    expect(me.page.locator(CARDS)).to_have_count(n)


def test_a_card_shows_model_version_risk_age_evidence_interval_and_n(at):
    me = at("ana")
    me.moves("/")
    card = me.page.locator(CARDS).filter(has_text="Roll back sms_spam")
    for part in ("sms_spam", "version 1.0.0", "medium", "just now|min ago", "accuracy now"):
        expect(card).to_contain_text(re.compile(part))
    expect(card).to_contain_text("95 % interval 0.8730 to 0.9210, n = 600")


def test_the_difference_is_one_click_away(at):
    me = at("ana")
    me.moves("/")
    card = me.page.locator(CARDS).filter(has_text="Release sms_spam 3.0.0")
    card.get_by_text("What would change").click()
    row = card.get_by_role("row").filter(has_text="serves")
    expect(row).to_contain_text(re.compile(r"2\.0\.0\s*3\.0\.0"))


# 15 to 20: deciding


def test_approve_states_its_consequence_and_waits(open_proposal, house, proposal):
    me = open_proposal()
    button(me, "Approve …").click()
    dialog = me.page.get_by_role("dialog")
    expect(dialog).to_contain_text(re.compile("A training starts.* What serves stays as it is"))
    expect(dialog.get_by_role("button", name="Approve now")).to_be_visible()
    assert state(house, proposal) == "proposed"


def test_esc_changes_nothing(open_proposal, house, proposal):
    me = open_proposal()
    button(me, "Approve …").click()
    dialog = me.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    me.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    me.idle()
    expect(dialog).to_have_count(0)
    assert state(house, proposal) == "proposed"


def test_reject_needs_a_reason(open_proposal, house, proposal):
    me = open_proposal()
    button(me, "Reject").click()
    me.sees("Say why this is rejected")
    assert state(house, proposal) == "proposed"


def test_reject_works_with_one_click_after_typing(open_proposal, house, proposal):
    me = open_proposal()
    me.page.get_by_label("Reason for rejecting").press_sequentially("a known holiday")
    button(me, "Reject").click()
    me.sees("Reason given: a known holiday")
    assert state(house, proposal) == "rejected"


def test_a_toast_confirms_a_decision_and_the_card_moves(open_proposal, house, proposal):
    me = open_proposal()
    me.page.get_by_label("Reason for rejecting").fill("a known holiday")
    button(me, "Reject").click()
    expect(me.page.get_by_test_id("stToast")).to_contain_text("Rejected: Retrain heart_disease")
    me.moves("/")
    expect(me.page.locator(f".st-key-card-{proposal.id}")).to_have_count(0)
    expect(me.page.locator(f"a[href*='{proposal.id}']")).to_be_visible()


def test_a_double_click_decides_once(open_proposal, house, proposal):
    me = open_proposal()
    button(me, "Approve …").click()
    button(me, "Approve now").dblclick()
    me.sees(re.compile("Approved by ana"))
    with house.panel.db.read() as db:
        mine = select(func.count()).where(ActionRow.recommendation_id == proposal.id)
        assert db.scalar(mine) == 1
        kept = select(AuditEvent.detail).filter_by(action="recommendation.decide", outcome="done")
        assert sum(proposal.id in str(one) for one in db.scalars(kept)) == 1


def test_a_stale_decision_says_who_decided(open_proposal, house, proposal):
    me = open_proposal()
    recommendations.reject(house.panel.db, homes.APO, proposal.id, reason="seen to")
    button(me, "Approve …").click()
    me.sees("apo was faster; nothing that you clicked was counted.")
    expect(button(me, "Approve now")).to_have_count(0)


# 21 to 22: addresses


def test_filters_live_in_the_address(at):
    me = at("ana")
    me.opens("/audit")
    me.page.get_by_label("Who").fill("apo")
    me.page.get_by_label("Who").press("Enter")
    expect(me.page).to_have_url(re.compile("who=apo"))
    me.page.reload()
    me.whole()
    expect(me.page.get_by_label("Who")).to_have_value("apo")
    me.moves("/performance?model=heart_disease&span=7+days")
    me.sees("Requests, 7 days")


@pytest.mark.parametrize(
    "path",
    [
        "/recommendation?id=nope",
        "/recommendation",
        "/incidents?id=nope",
        "/drift?report=nope",
        "/experiments?id=nope",
        "/models?model=sms_spam&version=9.9.9",
        "/performance?model=nope",
    ],
)
def test_an_unknown_id_is_a_friendly_page(at, path):
    me = at("ana")
    me.opens(path)
    expect(me.page.locator("h1:visible")).to_have_text("Not found")
    me.sees(re.compile("It may have been removed, or the link is old"))
    expect(me.page.get_by_role("link", name="Go to the inbox")).to_be_visible()


# 25 to 27: nothing there, no database, an error nobody foresaw


EMPTY = {
    "/": ["No decision waits for a person.", "Train a first version"],
    "/incidents": ["Nothing is wrong that we know of.", "No message was sent yet."],
    "/drift?model=sms_spam": ["No window was compared yet."],
    "/performance?model=sms_spam": [
        "No label has arrived in this span.",
        "No request in the last 24",
    ],
    "/training?model=sms_spam": ["No training has ended yet."],
    "/data": ["No data was loaded yet."],
    "/models?model=sms_spam": ["Nothing to compare or release."],
    "/releases?model=sms_spam": ["No version serves."],
    "/experiments?model=sms_spam": ["No experiment was set up yet."],
    "/try_it?model=sms_spam": ["This model has no version yet."],
    "/automation": ["Nothing is scheduled.", "No job was queued yet.", "No process was heard of"],
    "/audit?who=nobody": ["No entry matches."],
    "/admin": ["No client has a key yet.", "No channel is set up"],
}


@pytest.mark.parametrize("path", EMPTY)
def test_every_list_has_an_empty_state_with_a_next_step(empty, path):
    me = empty("adm")
    me.moves(path)
    for words in EMPTY[path]:
        me.sees(re.compile(words))
    empty.check()


def test_a_dead_store_gives_a_named_error_and_retry_goes_on(empty, postgresql):
    me, stranger = empty("adm"), empty.stranger()
    me.moves("/")
    with unreachable(postgresql, empty.panel):
        me.page.get_by_test_id("stSidebarNavLink").filter(has_text="Incidents").click()
        for person in (me, stranger):
            if person is stranger:
                person.go("/incidents")
            person.sees("Not available: the database does not answer; it is tried again.")
            expect(button(person, "Retry")).to_be_visible()
            expect(person.page).to_have_url(re.compile("/incidents"))
        me.shoot("panel-dead-store")
    button(me, "Retry").click()
    expect(me.page.locator("h1")).to_have_text("Incidents")
    button(stranger, "Retry").click()
    expect(form(stranger)).to_be_visible()
    empty.check()


class unreachable:
    """A database that ends its connections and takes no new ones."""

    def __init__(self, server, panel):
        self.server, self.name = server, panel.db.engine.url.database

    def __enter__(self):
        self._say(f"alter database {self.name} allow_connections false")
        ended = "select pg_terminate_backend(pid) from pg_stat_activity where datname = "
        self._say(f"{ended}'{self.name}'")

    def __exit__(self, *_):
        self._say(f"alter database {self.name} allow_connections true")

    def _say(self, words):
        import psycopg

        with psycopg.connect(self.server, autocommit=True) as server:
            server.execute(words)


def test_an_error_nobody_foresaw_shows_no_traceback(at, house):
    row = panel_rows.table_report(100)
    row.model, row.figures = "breast_cancer", {"columns": [{"unexpected": homes.SECRET}]}
    homes.append(house.panel, [row])
    me = at("ana")
    me.go("/drift?model=breast_cancer")
    expect(me.page.get_by_test_id("stException")).to_be_visible()
    assert "KeyError" in house.product.output.read_text()
    for secret in ("Traceback", "KeyError", "drifts.py", homes.SECRET):
        assert secret not in me.page.content()
    me.moves("/")  # the exception was wanted

from sqlalchemy import text

from tests.pages.looking import button, text_of


def test_it_says_that_the_trail_is_whole_and_shows_who_did_what_and_why(open_page, served, ana):
    shown = text_of(open_page("audit", ana))
    assert "rows are unchanged and in order." in shown
    assert "release.promote" in shown
    assert "ana (operator)" in shown


def test_details_are_words_and_ids_come_last(open_page, panel, card, ana):
    details = open_page("audit", ana, what="recommendation.propose").dataframe[0].value["details"]
    assert details[0].startswith("kind: rollback; arguments: ")
    assert details[0].index("arguments: ") < details[0].index("digest: ")


def test_when_who_and_what_come_first_so_that_a_phone_shows_them(open_page, served, ana):
    frame = open_page("audit", ana).dataframe[0].value
    assert list(frame.columns)[:3] == ["when", "who", "what"]
    assert {"#", "at (UTC)"} <= set(frame.columns)


def test_filters_come_from_the_address(open_page, served, ana):
    page = open_page("audit", ana, what="version.register")
    assert set(page.dataframe[0].value["what"]) == {"version.register"}


def test_a_filter_without_a_match_says_so(open_page, served, ana):
    assert "No entry matches." in text_of(open_page("audit", ana, who="nobody"))


def test_a_changed_row_is_the_first_thing_said(open_page, panel, served, ana):
    with panel.db.engine.begin() as connection:
        connection.execute(text("update audit_event set reason = 'forged' where seq = 3"))
    shown = text_of(open_page("audit", ana))
    assert "Row 3 was changed, removed or moved." in shown


def test_the_export_is_a_file_and_is_audited(open_page, panel, served, ana):
    page = open_page("audit", ana)
    button(page, "Prepare the export").click().run()
    assert page.get("download_button")
    page.run()
    assert "audit.export" in text_of(page)


def test_a_viewer_cannot_export(open_page, served, vic):
    page = open_page("audit", vic)
    assert not [one for one in page.button if one.label.startswith("Prepare")]

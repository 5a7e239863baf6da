import io

import pandas as pd
import pytest

from core import jobs, specs
from core.datasets import suites, uploads, versions
from tests.pages.looking import button, field, text_of


def table(n=240):
    frame = pd.DataFrame({"age": [20 + i % 50 for i in range(n)], "sex": ["f", "m"] * (n // 2)})
    frame["height"] = [150 + (i * 7) % 45 for i in range(n)]
    frame["sick"] = ["yes" if i % 3 == 0 else "no" for i in range(n)]
    return frame.to_csv(index=False).encode()


@pytest.fixture
def uploaded(open_page, model, ana):
    def upload(name, content):
        page = open_page("data", ana)
        return page.file_uploader[0].upload(name, content, "text/csv").run()

    return upload


def chosen(page, label):
    return next(box for box in page.selectbox if box.label == label)


def keep(page, title="Patients"):
    field(page, "Name of the model").input(title)
    page.run()
    return button(page, "Keep the data").click().run()


def history(panel, name="patients"):
    with panel.db.read() as db:
        return versions.history(db, name)


def test_an_upload_shows_types_target_and_checks(uploaded):
    page = uploaded("patients.csv", table())

    assert "**patients.csv**: 240 rows, 4 columns" in text_of(page)
    assert chosen(page, "What to predict").value == "sick"
    assert chosen(page, "The value to find (counts as positive)").value == "yes"
    assert page.success[0].value.startswith("240 rows")


def test_no_is_never_preselected_even_where_it_is_the_rarer_value(uploaded):
    rare = table().replace(b",yes", b",?").replace(b",no", b",yes").replace(b",?", b",no")
    page = uploaded("patients.csv", rare)
    assert chosen(page, "The value to find (counts as positive)").value == "yes"


def test_keeping_it_makes_a_model_and_data_that_waits_for_its_check(uploaded, panel):
    keep(uploaded("patients.csv", table()))

    with panel.db.read() as db:
        assert specs.active(db, "patients").positive == "yes"
        job = next(job for job in jobs.recent(db) if job.kind == "validate")
    (row,) = history(panel)
    assert (row.state, row.n_rows, job.payload) == ("pending", 240, {"dataset_id": row.id})


def test_labels_that_differ_in_case_only_are_folded_in_sight_of_the_person(uploaded, panel):
    page = uploaded("patients.csv", table().replace(b",yes\n", b",Yes \n", 3))
    assert "'Yes' as 'yes'" in page.checkbox[0].label.replace("\\", "")

    keep(page)

    target = versions.frame(panel.settings, history(panel)[0])["sick"]
    assert sorted(target.unique()) == ["no", "yes"]


@pytest.fixture
def judged(panel, ana, open_page):
    """The Data page of a model with two versions, the newer one with rows that fail."""
    text = uploads.spec_for("Patients", read(table()), target="sick", positive="yes")
    specs.apply(panel.db, ana, text)
    first = versions.load(panel.db, ana, panel.settings, "patients", frame=read(table()))
    panel.clock.forward(days=1)
    old = read(table()).assign(age=[900.0 + i if i < 60 else 30.0 for i in range(240)])
    second = versions.load(panel.db, ana, panel.settings, "patients", frame=old, parent_id=first.id)
    return lambda: (open_page("data", ana, model="patients"), first, second)


def read(content):
    return pd.read_csv(io.BytesIO(content))


def test_a_version_shows_its_findings_its_failing_rows_and_where_it_came_from(judged):
    page, first, second = judged()
    said = text_of(page).replace("\\", "")
    assert "age lies between" in str(page.table[0].value)
    assert "60" in str(page.table[0].value["rows"].tolist())
    rows = next(
        one.value for one in page.dataframe if "finding" in one.value and "age" in one.value
    )
    assert (rows["row"].tolist()[:2], rows["age"].tolist()[:2]) == ([1, 2], [900.0, 901.0])
    assert "judged by built-in" in said
    assert first.id.replace("-", "\\-") in [
        cell for one in page.table for cell in one.value.iloc[:, 0]
    ]
    assert second.id in chosen(page, "Data set").options[0]


def test_two_versions_are_compared_with_their_drift(judged):
    page, _first, _second = judged()
    page = button(page, "Compare").click().run()
    assert "Drift in" in text_of(page)
    shown = next(one.value for one in page.dataframe if "drift" in one.value)
    assert shown.set_index("column").loc["age", "detail"] != "-"


def test_archiving_needs_a_reason_and_keeps_the_data_from_use(judged, panel):
    page, _first, second = judged()
    button(page, "Archive it").click().run()
    with panel.db.read() as db:
        assert versions.get(db, second.id).state == "validated"
    page, _first, _second = judged_again(page, "Why?", "wrong year", "Archive it")
    with panel.db.read() as db:
        assert versions.get(db, second.id).state == "archived"


def judged_again(page, label, words, name):
    next(one for one in page.text_input if one.label == label).input(words)
    return button(page, name).click().run(), None, None


def test_the_suite_is_edited_with_a_reason(judged, panel):
    page, _first, _second = judged()
    field(page, "Why does it change?").input("ages above 100 are fine")
    button(page, "Put it in force").click().run()
    with panel.db.read() as db:
        suite = suites.current(db, "patients")
    assert (suite.version, suite.author, suite.reason) == (2, "ana", "ages above 100 are fine")


def test_a_file_that_is_no_table_is_refused_in_words(uploaded):
    page = uploaded("x.csv", b"PK\x03\x04rubbish")
    assert "archive" in page.error[0].value
    assert not page.exception


def test_data_that_fails_the_checks_cannot_be_kept(uploaded):
    page = uploaded("few.csv", table(20))
    assert page.error
    assert button(page, "Keep the data").disabled

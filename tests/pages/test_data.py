import pandas as pd
import pytest

from core import specs
from core.datasets import versions
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


def test_an_upload_shows_types_target_and_checks(uploaded):
    page = uploaded("patients.csv", table())

    assert "**patients.csv**: 240 rows, 4 columns" in text_of(page)
    assert page.selectbox[0].value == "sick"
    assert page.success[0].value.startswith("240 rows")


def test_keeping_it_makes_a_model_and_a_data_set(uploaded, panel):
    page = uploaded("patients.csv", table())
    page.selectbox[1].select("yes")
    field(page, "Name of the model").input("Patients")
    page.run()

    button(page, "Keep the data").click().run()

    with panel.db.read() as db:
        spec = specs.active(db, "patients")
        assert spec.positive == "yes"
        assert versions.latest(db, "patients", "train").n_rows == 240


def test_a_file_that_is_no_table_is_refused_in_words(uploaded):
    page = uploaded("x.csv", b"PK\x03\x04rubbish")
    assert "archive" in page.error[0].value
    assert not page.exception


def test_data_that_fails_the_checks_cannot_be_kept(uploaded):
    page = uploaded("few.csv", table(20))
    assert page.error
    assert button(page, "Keep the data").disabled

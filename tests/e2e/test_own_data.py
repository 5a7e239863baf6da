"""From a file of one's own to a version that the gate has judged, on the real heart data."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = [pytest.mark.processes, pytest.mark.browser, pytest.mark.timeout(600)]
NAMES = [
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
    "num",
]


@pytest.fixture(scope="module")
def me(browser, product, product_module, person_module):
    me = person_module.Person(browser, product.url("panel"))
    me.go("/")
    me.sign_in("admin", product_module.PASSWORD)
    yield me
    me.context.close()


@pytest.fixture(autouse=True)
def chapter(request, me):
    yield
    me.shoot(f"own_data_{request.node.name.removeprefix('test_')}")
    me.check()


@pytest.fixture(scope="module")
def rows(real_data_folder):
    return (real_data_folder / "heart_disease" / "processed.cleveland.data").read_text().split()


def table(path, names, rows):
    path.write_text("\n".join([",".join(names), *rows]) + "\n")
    return path


def offer(me, path):
    """Upload a file as new data for the heart model."""
    me.opens("/data?model=heart_disease")  # and no earlier file waits there
    me.page.locator("input[type=file]").set_input_files(path)
    me.page.get_by_label("Use it as").click()
    me.page.get_by_role("option", name="new data for Heart disease").click()
    me.sees("It replaces the data used so far")
    me.idle()


def train(me, kind):
    me.moves("/training?model=heart_disease")
    box = me.page.get_by_label("Candidates")
    me.page.get_by_test_id("stMultiSelect").get_by_label("Clear all").click()
    box.fill(kind)
    box.press("Enter")
    box.press("Escape")
    me.click("Start training")
    expect(me.page.locator("[data-testid=stProgress]").first).to_be_visible()


def test_01_a_file_without_a_needed_column_is_refused_in_words(me, rows, tmp_path):
    short = [",".join(line.split(",")[:12] + line.split(",")[13:]) for line in rows]
    offer(me, table(tmp_path / "short.csv", NAMES[:12] + NAMES[13:], short))
    me.sees("The data has no column thal")
    expect(me.page.get_by_role("button", name="Keep the data", exact=True)).to_be_disabled()


def test_02_a_whole_file_is_kept_and_checked_by_the_worker(me, rows, tmp_path, person_module):
    offer(me, table(tmp_path / "heart.csv", NAMES, rows))
    me.click("Keep the data")
    me.sees("is being checked")

    def judged():
        me.page.wait_for_timeout(500)  # what looks without a break takes the worker's time
        me.moves("/data?model=heart_disease")
        return me.page.get_by_text(re.compile("expectations? hold, judged by")).count()

    person_module.until(judged, what="the check by the worker")


def test_03_it_is_trained_and_the_leaderboard_is_shown(me):
    train(me, "logistic")
    me.sees(re.compile("version 1.0.0"), seconds=400)
    me.sees(re.compile("Leaderboard|leaderboard"))


def test_04_what_the_gate_does_not_let_through_an_approver_may_override(me):
    me.moves("/models?model=heart_disease&version=1.0.0")
    if me.page.get_by_role("button", name="Override the gate").count():
        me.page.get_by_label("Why?").first.fill("303 rows are all there are")
        me.click("Override the gate")
        me.sees("may be proposed")
    me.page.get_by_label("Why?").first.fill("a first one")
    me.click("Propose for release")
    me.sees("waits for an approver")
    me.approve("Release heart_disease 1.0.0", "the first")


def test_05_a_second_version_is_judged_on_the_same_rows_with_an_honest_answer(me):
    train(me, "forest")
    me.sees(re.compile("version 1.1.0"), seconds=400)
    me.moves("/models?model=heart_disease&version=1.1.0")
    me.sees(re.compile("not enough evidence|gate refuses", re.I))
    me.sees(re.compile("more labelled rows|ruled out|worse"))


def test_06_the_two_are_compared_on_the_same_rows(me):
    me.moves("/models?model=heart_disease&a=1.0.0&b=1.1.0")
    me.sees(re.compile(r"same \d+ rows"))
    me.click("Ask both about each row")
    me.sees(re.compile("answer|agree|changed", re.I))

from datetime import UTC, datetime

import pytest

from core import registry
from core.tables.entities import DatasetVersion, ModelVersion


@pytest.fixture
def version():
    slices = [{"name": "short texts", "n": 40, "answer": "not_enough_evidence", "difference": None}]
    return ModelVersion(
        model="spam",
        version="1.2.0",
        state="candidate",
        run_id="r1",
        algorithm="logistic_regression",
        artifact="a" * 64,
        signature={"input": {"text": "message"}, "labels": ["ham", "spam"]},
        metrics={
            "accuracy": 0.97,
            "brier": 0.02,
            "n_test": 300,
            "intervals": {"accuracy": [0.94, 0.98]},
        },
        gate={"answer": "refuse", "reasons": ["worse on slice 'x'"], "slices": slices},
        overridden={"by": "apo", "at": "2030-01-01", "reason": "gone | [now](http://evil)"},
        threshold=0.4,
        at=datetime(2030, 1, 1, tzinfo=UTC),
    )


def test_a_card_says_what_it_is_how_good_and_how_it_was_decided(version):
    card = registry.card(version, title="SMS spam", stage="staging")
    for words in (
        "# SMS spam, version 1.2.0",
        "| stage | staging |",
        "| positive from a probability of | 0.4 |",
        "| accuracy | 0.9700 | 0.9400 to 0.9800 |",
        "On 300 held-out rows",
        "The gate refuses it; overridden by apo.",
        "- worse on slice 'x'",
        "Only 300 rows judged it",
        "not known to be as good as what served on: short texts",
        "pilothouse rollback spam",
    ):
        assert words in card


def test_a_card_describes_the_data(version):
    data = DatasetVersion(role="train", n_rows=4000, source="4,000 messages", digest="d" * 64)
    card = registry.card(version, title="SMS spam", datasets=[data])
    assert f"| train | 4,000 | 4,000 messages | {'d' * 12} |" in card


def test_what_people_wrote_neither_links_nor_breaks_a_table(version):
    card = registry.card(version, title="SMS <b>spam</b>")
    assert r"gone \| \[now\](http://evil)" in card
    assert "<b>" not in card.replace(r"\<b\>", "")

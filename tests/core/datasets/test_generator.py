import re
from time import process_time

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, recall_score
from sklearn.pipeline import Pipeline, make_pipeline

from core.datasets.generator import (
    BASE_CAMPAIGNS,
    CAMPAIGNS,
    HAM_KINDS,
    NEW_CAMPAIGNS,
    Message,
    drifted,
    messages,
)
from core.errors import InvalidInputError


def texts(drawn: list[Message]) -> list[str]:
    return [message.text for message in drawn]


def is_spam(drawn: list[Message]) -> list[bool]:
    return [message.label == "spam" for message in drawn]


def classifier(drawn: list[Message]) -> Pipeline:
    """The ordinary text classifier: TF-IDF of one and two words, logistic regression."""
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pipeline = make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000))
    return pipeline.fit(texts(drawn), is_spam(drawn))


@pytest.fixture(scope="module")
def trained() -> Pipeline:
    return classifier(messages(3000, seed=1))


def test_the_same_seed_gives_the_same_messages_and_another_seed_others():
    assert messages(200, seed=5) == messages(200, seed=5)
    assert messages(200, seed=5) != messages(200, seed=6)


def test_the_share_of_spam_is_what_was_asked_for():
    assert sum(is_spam(messages(1000, seed=2, spam_share=0.2))) == 200
    assert sum(is_spam(messages(100, seed=2, spam_share=0))) == 0
    assert all(is_spam(messages(100, seed=2, spam_share=1)))


def test_the_share_of_spam_is_also_right_over_many_messages_drawn_one_by_one():
    one_by_one = [message for seed in range(2000) for message in messages(1, seed=seed)]
    assert sum(is_spam(one_by_one)) / 2000 == pytest.approx(0.134, abs=0.025)


def test_base_messages_come_from_every_ham_kind_and_every_base_campaign_only():
    kinds = {message.kind for message in messages(3000, seed=3)}
    assert kinds == {*HAM_KINDS, *BASE_CAMPAIGNS}


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_every_campaign_can_be_drawn_alone(campaign):
    drawn = messages(40, seed=4, spam_share=1, campaigns=[campaign])
    assert {(message.label, message.kind) for message in drawn} == {("spam", campaign)}


def test_drifted_traffic_holds_the_share_of_the_new_campaign_and_the_base_mix():
    drawn = drifted(1000, seed=5, campaign="crypto", share=0.3)
    kinds = [message.kind for message in drawn]
    assert (len(drawn), kinds.count("crypto")) == (1000, 300)
    assert sum(is_spam(drawn)) == pytest.approx(300 + 0.134 * 700, abs=1)
    assert not {*kinds} & ({*NEW_CAMPAIGNS} - {"crypto"})


def test_spam_is_spread_over_the_whole_sequence():
    first_half = drifted(1000, seed=6, campaign="parcel", share=0.4)[:500]
    assert [message.kind for message in first_half].count("parcel") == pytest.approx(200, abs=40)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": 5, "campaigns": ["pyramid"]}, "Unknown campaign: pyramid. Choose from prize"),
        ({"n": 5, "campaigns": []}, "Unknown campaign: none"),
        ({"n": 5, "spam_share": 1.2}, "spam_share must lie between 0 and 1, not 1.2"),
        ({"n": 5, "spam_share": float("nan")}, "between 0 and 1, not nan"),
        ({"n": -1}, "must be 0 or more, not -1"),
    ],
)
def test_a_bad_argument_is_refused_with_a_sentence(arguments, sentence):
    with pytest.raises(InvalidInputError, match=re.escape(sentence)):
        messages(seed=1, **arguments)


def test_drift_with_an_unknown_campaign_or_a_bad_share_is_refused():
    with pytest.raises(InvalidInputError, match="pyramid"):
        drifted(5, seed=1, campaign="pyramid", share=0.3)
    with pytest.raises(InvalidInputError, match=r"share must lie between 0 and 1, not -0\.1"):
        drifted(5, seed=1, campaign="crypto", share=-0.1)


def test_fewer_than_three_in_a_hundred_messages_repeat():
    assert len(set(texts(messages(5000, seed=7)))) > 0.97 * 5000


def test_ten_thousand_messages_are_soon_made():
    messages(1, seed=8)
    start = process_time()
    messages(10_000, seed=8)
    assert process_time() - start < 4  # under a second where nothing else runs


def test_every_slot_of_the_grammar_is_filled_and_the_text_is_tidy():
    drawn = texts(messages(20_000, seed=9, spam_share=0.5, campaigns=CAMPAIGNS))
    untidy = re.compile(r"[{}#|\\\n]|  |^[\s,.]|\s$|\s[,.!?](\s|$)")
    assert [text for text in drawn if untidy.search(text)] == []
    assert max(map(len, drawn)) < 700


def test_addresses_are_reserved_names_and_phone_numbers_belong_to_fiction():
    drawn = texts(messages(20_000, seed=10, spam_share=0.5, campaigns=CAMPAIGNS))
    hosts = re.findall(r"https?://([^/\s]+)|\bwww\.(\S+)", " ".join(drawn), flags=re.IGNORECASE)
    assert hosts
    assert all(re.search(r"\.(example|test)\b", "".join(host).lower()) for host in hosts)
    phones = re.findall(r"(?<![\w£$€.-])(?:\+44|0)\d[\d ]{8,12}\d(?!\d)", " ".join(drawn))
    fiction = r"(\+44|0)(7700900|808157|9098790|2079460|1632960|117496|131496)\d{3,4}"
    assert phones
    assert [p for p in phones if not re.match(fiction, p.replace(" ", ""))] == []


def test_a_text_classifier_does_well_on_other_messages_but_not_perfectly(trained):
    unseen = messages(1000, seed=2)
    assert 0.93 < f1_score(is_spam(unseen), trained.predict(texts(unseen))) < 0.995


def test_ham_and_spam_share_words():
    ham = " ".join(m.text.lower() for m in messages(3000, seed=11) if m.label == "ham")
    assert {"free", "won", "call", "urgent", "claim", "loan"} <= set(re.findall(r"\w+", ham))


def test_a_classifier_of_the_base_mix_misses_crypto_and_its_accuracy_falls(trained):
    drawn = drifted(1000, seed=12, campaign="crypto", share=0.3)
    guessed = trained.predict(texts(drawn))
    crypto = [hit for hit, message in zip(guessed, drawn, strict=True) if message.kind == "crypto"]
    assert sum(crypto) / len(crypto) < 0.7
    assert accuracy_score(is_spam(drawn), guessed) < 0.9


def test_retraining_with_labelled_crypto_messages_finds_it():
    labelled = messages(3000, seed=1) + drifted(500, seed=13, campaign="crypto", share=0.3)
    unseen = messages(300, seed=14, spam_share=1, campaigns=["crypto"])
    assert recall_score(is_spam(unseen), classifier(labelled).predict(texts(unseen))) > 0.9

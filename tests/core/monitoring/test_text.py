import json
import time

import numpy as np
import pytest

from core.datasets import generator
from core.errors import InvalidInputError
from core.monitoring import tokens
from core.monitoring.text import THRESHOLD, compare


def usual(n, seed):
    return [message.text for message in generator.messages(n, seed=seed)]


def campaign(n, share, seed=5):
    return [m.text for m in generator.drifted(n, seed=seed, campaign="crypto", share=share)]


def copies(texts):
    return len(texts) - len(set(tokens.copy_groups(tokens.corpus(texts).counts).tolist()))


def test_two_samples_of_one_source_are_not_drift():
    result = compare(usual(800, seed=1), usual(200, seed=2))

    assert not result.drift_detected
    assert (result.vocabulary_drift, result.tfidf_drift, result.score) == (0, 0, 0)
    assert result.new_terms == result.vanished_terms == ()


def test_the_false_alarm_rate_is_the_one_asked_for():
    pool = usual(3000, seed=1)
    alarms = []
    for run in range(100):
        order = np.random.default_rng(run).permutation(len(pool))[:260].tolist()
        texts = [pool[i] for i in order]
        alarms.append(compare(texts[:200], texts[200:], alpha=0.1, permutations=99).drift_detected)

    assert 0.02 <= np.mean(alarms) <= 0.2


def test_a_campaign_is_found_with_its_words():
    result = compare(usual(2000, seed=1), campaign(200, 0.3))

    assert result.drift_detected
    assert result.score > THRESHOLD
    assert {term.term for term in result.new_terms} & {
        "btc",
        "crypto",
        "wallet",
        "trading",
        "tokens",
    }
    assert "more of '" in result.sentence


def test_a_larger_campaign_is_a_larger_drift():
    reference = usual(2000, seed=1)
    sizes = [compare(reference, campaign(200, share)).vocabulary_drift for share in (0.2, 0.4, 0.8)]

    assert sizes == sorted(sizes)
    assert sizes[0] > 0.1
    assert sizes[2] > 0.5


def test_one_threshold_means_the_same_at_any_size():
    reference = usual(2000, seed=1)

    small, large = (compare(reference, campaign(n, 0.5)).score for n in (100, 1000))
    assert small == pytest.approx(large, abs=0.08)


def test_a_new_word_comes_with_its_shares_and_an_example():
    reference = usual(300, seed=1)
    spam = [f"zorbcoin is rising, {message}" for message in usual(40, seed=2)]
    term = compare(reference, usual(60, seed=3) + spam).new_terms[0]

    assert term.term == "zorbcoin"
    assert (term.share_reference, term.share_current) == (0, pytest.approx(0.4, abs=0.06))
    assert "zorbcoin" in term.example


def test_words_that_vanish_are_told_too():
    reference = [f"greetings, {message}" for message in usual(300, seed=1)]
    result = compare(reference, usual(200, seed=2))

    assert result.vanished_terms[0].term == "greetings"


def test_terms_are_safe_to_show_and_few():
    long = "x" * 60
    spam = [f"{long} \u202epay\u200bpal\x1b[31m {i} {m}" for i, m in enumerate(usual(90, seed=2))]
    result = compare(usual(300, seed=1), spam)
    shown = [word for term in result.new_terms for word in (term.term, term.example)]

    assert len(result.new_terms) <= 20
    assert max(len(term.term) for term in result.new_terms) == 24
    assert all(word.isprintable() and len(word) <= 80 for word in shown)
    assert "paypal" in {term.term for term in result.new_terms}


PRIZE = "claim your free prize now by calling the number below before friday evening"
NAMES = ("ann", "bob", "eve", "joe", "kim", "lea", "max", "ned", "oda", "pia", "quin", "ray")


def test_copies_and_near_copies_count_once():
    before = usual(300, seed=1)
    copied = [PRIZE] * 30 + [f"{PRIZE} hurry {name}" for name in NAMES[:3]]
    result = compare(before + copied, usual(60, seed=2) + copied[::5])

    assert result.copies_reference + result.copies_current >= 38
    assert not result.drift_detected
    assert not result.campaigns


def test_a_campaign_of_copies_alone_is_told_and_raises_the_alarm():
    result = compare(usual(2000, seed=1), usual(190, seed=2) + [PRIZE] * 10)
    (campaign,) = result.campaigns

    assert result.drift_detected
    assert (campaign.size, campaign.share, campaign.share_reference) == (10, 0.05, 0)
    assert PRIZE.startswith(campaign.example.rstrip("…"))
    assert result.score > 0.05
    assert "A new campaign: 10 near-copies, 5.0% of the texts, such as 'claim" in result.sentence


def test_a_template_filled_with_names_and_numbers_is_one_campaign():
    spam = [
        f"Hi {name}, your zorbcoin wallet holds {13**place} coins: confirm today"
        for place, name in enumerate(NAMES)
    ]
    (found,) = compare(usual(1000, seed=1), usual(188, seed=2) + spam).campaigns

    assert found.size == 12
    assert "zorbcoin" in found.terms
    assert not set(found.terms) & set(NAMES)


def test_groups_that_the_reference_knows_are_no_campaign():
    both = [f"your code for today is {number} please keep it" for number in range(300)]
    result = compare(usual(1000, seed=1) + both, usual(150, seed=2) + both[:45])

    assert result.campaigns == ()
    assert not result.drift_detected


@pytest.mark.parametrize("size", [4, 5])
def test_five_near_copies_are_a_campaign_where_chance_cannot_make_them(size):
    result = compare(usual(2000, seed=1), usual(195, seed=2) + [PRIZE] * size, alpha=0.05)
    assert len(result.campaigns) == (size == 5)


def test_windows_of_equal_size_need_more_copies():
    assert not compare(usual(200, seed=1), usual(195, seed=2) + [PRIZE] * 5).campaigns


def test_a_client_that_repeats_everything_is_no_campaign():
    result = compare(usual(1500, seed=1), usual(20, seed=2) * 10)

    assert not result.campaigns
    assert not result.drift_detected


def test_short_texts_are_repeated_where_the_longer_ones_are():
    short = [f"{name} ok" for name in NAMES[:6]]
    result = compare(usual(600, seed=1) + short * 20, (usual(30, seed=2) + short) * 8)

    assert not result.drift_detected


def test_copies_in_the_current_window_are_mentioned():
    result = compare(usual(300, seed=1), usual(40, seed=2) * 5)
    assert "current texts were copies of others" in result.sentence


@pytest.mark.parametrize(
    ("reference", "current", "reason"),
    [
        (usual(300, seed=1), [PRIZE] * 200, "The current window holds 1 different text; 199"),
        (usual(300, seed=1), ["one text only and no more"], "holds 1 different text: at least 10"),
        ([PRIZE] * 200, usual(100, seed=2), "The reference holds 1 different text; 199 others"),
        ([PRIZE] * 200, [PRIZE] * 90, "different text"),
        (usual(300, seed=1), usual(4, seed=2) * 50, "texts; 196 others are copies of them"),
    ],
)
def test_windows_of_copies_are_inconclusive_and_no_alarm(reference, current, reason):
    result = compare(reference, current)

    assert reason in result.inconclusive
    assert result.sentence == result.inconclusive
    assert (result.drift_detected, result.p_value, result.evidence) == (False, 1.0, ())


def test_a_few_texts_beside_a_large_campaign_do_not_hide_it():
    result = compare(usual(1000, seed=1), usual(5, seed=2) + [PRIZE] * 195)
    assert result.drift_detected
    assert result.campaigns[0].share == 0.975


def test_what_is_followed_from_check_to_check_is_one_score():
    quiet = compare(usual(800, seed=1), usual(200, seed=2)).evidence
    loud = compare(usual(800, seed=1), usual(190, seed=2) + [PRIZE] * 10).evidence

    assert [(one.family, one.two_sided) for one in quiet] == [("text", False)]
    assert abs(quiet[0].z) < 4 < loud[0].z


def test_texts_of_a_megabyte_take_bounded_work():
    huge = [f"{PRIZE} {number} " * 12_000 for number in range(12)]
    start = time.thread_time()
    result = compare(usual(200, seed=1) + huge[:6], usual(100, seed=2) + huge[6:])

    assert time.thread_time() - start < 2
    assert result.assumptions[-1] == "Of long texts the first 10,000 characters were read."
    assert len(result.campaigns) <= 1


def test_any_script_and_sign_is_compared_and_shown_safely():
    arabic = [f"مرحبا {name} اربح جائزة كبيرة اليوم \u202e🎁🎁" for name in NAMES]
    (found,) = compare(usual(1000, seed=1), usual(150, seed=2) + arabic).campaigns

    assert found.size == 12
    assert found.example.isprintable()
    assert "جائزة" in found.terms


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("win 100 pounds in cash today", "WIN 900 pounds in CASH today!", 1),
        (
            "one two three four five six seven eight nine",
            "one two three four five six seven eight ten",
            1,
        ),
        ("see you at work tomorrow morning", "see you at home tomorrow evening", 0),
        ("ok see you", "ok see you", 0),
    ],
)
def test_what_counts_as_a_copy(first, second, expected):
    assert copies([first, second, "something else entirely different from those"]) == expected


def test_near_copies_are_those_a_full_search_finds():
    texts = usual(150, seed=1) + [f"{text} indeed" for text in usual(150, seed=1)[:40]]
    words = [set(tokens.tokens(text)) for text in texts]
    groups = tokens.copy_groups(tokens.corpus(texts).counts)

    for i, a in enumerate(words):
        for j, b in enumerate(words[:i]):
            if min(len(a), len(b)) >= 4 and len(a & b) >= 0.8 * len(a | b):
                assert groups[i] == groups[j]


def test_the_same_seed_gives_the_same_answer():
    reference, current = usual(200, seed=1), usual(80, seed=2)

    assert compare(reference, current, seed=3) == compare(reference, current, seed=3)
    assert (
        compare(reference, current, seed=3).families != compare(reference, current, seed=4).families
    )


def test_texts_without_words_are_a_change_like_any_other():
    result = compare(usual(200, seed=1), ["", "...", None, " "] * 20)

    assert result.drift_detected
    assert result.new_terms[0].term == tokens.EMPTY


def test_scripts_without_spaces_are_split_into_characters():
    assert tokens.tokens("我爱你 ok") == ["我", "爱", "你", "ok"]


def test_windows_that_share_no_word_are_no_error():
    assert not compare(["alpha beta"], ["gamma delta"]).drift_detected


@pytest.mark.parametrize(("reference", "current"), [([], ["a"]), (["a"], [])])
def test_an_empty_window_is_refused(reference, current):
    with pytest.raises(InvalidInputError, match="at least one text"):
        compare(reference, current)


def test_a_result_is_plain_json():
    result = compare(usual(300, seed=1), campaign(100, 0.5))

    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["drift_detected"] is True


def test_a_usual_comparison_takes_well_under_two_seconds_of_processor_time():
    reference, current = usual(3000, seed=1), campaign(200, 0.2)
    compare(["a"], ["b"])
    start = time.thread_time()
    compare(reference, current)

    assert time.thread_time() - start < 2

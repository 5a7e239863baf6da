import pytest

from core.errors import TooLargeError, TooManyRequestsError
from core.serving.rates import Buckets, Rates


class Hands:
    """A clock that is moved by hand."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def hands():
    return Hands()


def spent(rates, name, limit, times):
    """Say how many of so many requests were let through."""
    done = 0
    for _ in range(times):
        try:
            rates.spend(name, limit)
            done += 1
        except TooManyRequestsError:
            pass
    return done


def test_a_minute_holds_as_many_requests_as_the_limit_says(hands):
    rates = Rates(0, clock=hands)
    assert spent(rates, "shop", 60, 100) == 60


def test_tokens_come_back_evenly(hands):
    rates = Rates(0, clock=hands)
    spent(rates, "shop", 60, 60)
    hands.now += 10
    assert spent(rates, "shop", 60, 100) == 10
    hands.now += 1000
    assert spent(rates, "shop", 60, 100) == 60


def test_the_refusal_says_when_one_is_free_and_then_it_is(hands):
    rates = Rates(0, clock=hands)
    spent(rates, "shop", 10, 10)
    with pytest.raises(TooManyRequestsError) as refused:
        rates.spend("shop", 10)
    assert refused.value.retry_after == 6
    hands.now += refused.value.retry_after
    rates.spend("shop", 10)


def test_a_refused_request_costs_nothing(hands):
    rates = Rates(0, clock=hands)
    spent(rates, "shop", 60, 10_000)
    hands.now += 1
    assert spent(rates, "shop", 60, 5) == 1


def test_each_caller_has_a_bucket_of_its_own(hands):
    rates = Rates(0, clock=hands)
    assert [spent(rates, name, 5, 9) for name in ("shop", "app")] == [5, 5]


@pytest.mark.parametrize(
    ("default", "own", "passed"), [(3, None, 3), (3, 7, 7), (3, 0, 20), (0, None, 20), (0, 2, 2)]
)
def test_a_keys_own_limit_goes_before_the_default_and_0_is_none(hands, default, own, passed):
    assert spent(Rates(default, clock=hands), "shop", own, 20) == passed


def test_several_processes_share_a_limit(hands):
    assert spent(Rates(60, 4, clock=hands), "shop", None, 100) == 15
    assert spent(Rates(1, 4, clock=hands), "shop", None, 9) == 1


def test_a_batch_costs_its_items_and_when_it_is_refused_nothing(hands):
    rates = Rates(10, clock=hands)
    rates.spend("shop", None)
    rates.spend_batch("shop", None, 9, paid=True)
    with pytest.raises(TooManyRequestsError) as refused:
        rates.spend_batch("shop", None, 6)
    assert refused.value.retry_after == 30
    rates.spend_batch("shop", None, 1)
    assert spent(rates, "shop", None, 3) == 0


def test_a_refused_batch_fits_after_the_seconds_that_it_was_told(hands):
    rates = Rates(5, clock=hands)
    spent(rates, "shop", None, 4)
    rates.spend("shop", None)
    with pytest.raises(TooManyRequestsError) as refused:
        rates.spend_batch("shop", None, 5, paid=True)
    assert refused.value.retry_after == 48
    hands.now += 48
    rates.spend("shop", None)
    rates.spend_batch("shop", None, 5, paid=True)


def test_more_at_once_than_a_minute_allows_is_too_large(hands):
    with pytest.raises(TooLargeError, match="at most 10 items"):
        Rates(10, clock=hands).spend_batch("shop", None, 11)
    Rates(0, clock=hands).spend_batch("shop", None, 10**6)


def test_memory_is_bounded_and_the_least_recently_used_is_forgotten(hands):
    buckets = Buckets(hands, most=100)
    for number in range(1000):
        buckets.take("busy", 1000)
        buckets.take(f"caller {number}", 1)
    assert len(buckets._full_at) == 100
    assert buckets.take("caller 999", 1) > 0
    assert buckets.take("caller 1", 1) == 0
    assert buckets.take("busy", 1000) > 0


def test_refused_credentials_of_an_address_are_bounded_and_of_others_not_affected(hands):
    rates = Rates(0, clock=hands)
    for _ in range(30):
        rates.refused("192.0.2.7")
    with pytest.raises(TooManyRequestsError, match="address"):
        rates.refused("192.0.2.7")
    rates.refused("192.0.2.8")
    hands.now += 2
    rates.refused("192.0.2.7")


def test_an_ipv6_customer_cannot_take_another_address_for_each_try(hands):
    rates = Rates(0, clock=hands)
    with pytest.raises(TooManyRequestsError):
        for number in range(31):
            rates.tried(f"2001:db8::{number:x}")
    rates.tried("2001:db8:0:1::1")

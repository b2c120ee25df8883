"""Backing off: doubling, a limit, and chance."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_a.domain.backoff import asked_for, pause
from node_a.domain.errors import PaymentRefused, ProviderUnavailable, ShopError

FIRST, LONGEST = timedelta(seconds=5), timedelta(minutes=10)
chances = st.floats(0, 1)


def test_without_luck_either_way_each_failure_doubles_it_up_to_the_limit() -> None:
    seconds = [pause(FIRST, LONGEST, failures, 0.5).total_seconds() for failures in range(9)]
    assert seconds == [5, 10, 20, 40, 80, 160, 320, 600, 600]


@given(st.integers(0, 10_000), chances)
def test_it_is_never_nothing_and_never_longer_than_the_longest(failures: int, chance: float) -> None:
    assert FIRST * 0.7 < pause(FIRST, LONGEST, failures, chance) <= LONGEST


@given(st.integers(0, 30))
def test_chance_spreads_those_who_failed_together(failures: int) -> None:
    early, late = (pause(FIRST, LONGEST, failures, chance) for chance in (0.0, 1.0))
    assert late >= early * 1.3


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ProviderUnavailable("wait", retry_after=7.5), 7.5),
        (ProviderUnavailable("wait", retry_after=10.0**15), 600),
        (ProviderUnavailable("down"), 0),
        (PaymentRefused("no"), 0),
    ],
)
def test_the_other_side_is_left_alone_as_long_as_it_asks_within_reason(error: ShopError, seconds: float) -> None:
    assert asked_for(error, LONGEST).total_seconds() == seconds

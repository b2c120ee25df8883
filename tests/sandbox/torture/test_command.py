"""When `make torture` is green, and why it is not."""

from dataclasses import replace

import pytest

from sandbox.torture.command import why_it_fails
from sandbox.torture.night import Morning
from sandbox.torture.verdict import Verdict

GOOD = Morning(
    verdict=Verdict([], [], 3),
    paid=20,
    customers=17,
    kills={"worker": 4, "web": 1, "bot": 0},
    landed=3,
    troubles={"yookassa 500": 9, "webhooks during a check": 0},
    repeated_taps=12,
    ended_by_themselves=["web with 1"],
    gave_up=["customer 4: walks away: tried for 90 s"],
)


def test_a_bad_night_after_which_everybody_has_what_was_paid_for_is_green() -> None:
    assert why_it_fails(GOOD, wanted=20) == []


@pytest.mark.parametrize(
    ("morning", "word"),
    [
        (replace(GOOD, verdict=Verdict(["customer 1: no key in the chat"], [], 0)), "no key"),
        (replace(GOOD, verdict=Verdict([], ["customer 1: keys without a payment"], 0)), "without a payment"),
        (replace(GOOD, paid=19), "19 of 20"),
        (replace(GOOD, kills={"worker": 0, "web": 0, "bot": 0}), "without kills"),
        (replace(GOOD, troubles={"webhooks during a check": 0}), "without troubles"),
    ],
    ids=["lost", "doubled", "not everybody could pay", "no kills", "no troubles"],
)
def test_a_night_that_is_not_green_says_why(morning: Morning, word: str) -> None:
    [sentence] = why_it_fails(morning, wanted=20)

    assert word in sentence


def test_a_short_night_may_be_over_before_the_first_kill() -> None:
    short = replace(GOOD, paid=19, kills={"worker": 0}, troubles={})

    assert why_it_fails(short, wanted=19) == []

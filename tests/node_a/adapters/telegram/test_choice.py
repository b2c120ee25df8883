"""Which of several routes is taken, by a clock of the test's own."""

import pytest

from node_a.adapters.telegram.choice import FIRST_REST, GOOD_AFTER, LONGEST_REST, MOST_FAILURES, Choice


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def choice(clock: Clock) -> Choice:
    """Three routes, the first in use."""
    choice = Choice(3, clock)
    choice.take(0)
    return choice


def leave(choice: Choice, for_route: int) -> None:
    assert choice.in_use is not None
    choice.failed(choice.in_use)
    choice.take(for_route)


def test_the_operators_order_is_the_order(choice: Choice) -> None:
    assert choice.order() == [0, 1, 2]
    assert choice.better() == []


def test_what_was_left_comes_last_until_it_has_rested(choice: Choice, clock: Clock) -> None:
    leave(choice, 1)

    assert choice.order() == [1, 2, 0]
    assert choice.better() == []
    clock.now += FIRST_REST - 1
    assert choice.better() == []
    clock.now += 1
    assert choice.better() == [0]
    assert choice.order() == [0, 1, 2]


def test_each_time_that_it_does_not_last_it_rests_twice_as_long(choice: Choice, clock: Clock) -> None:
    rests = []
    for _ in range(8):
        leave(choice, 1)
        began = clock.now
        while not choice.better():
            clock.now += FIRST_REST / 2
        rests.append(clock.now - began)
        choice.take(0)

    assert rests == [60, 120, 240, 480, 960, LONGEST_REST, LONGEST_REST, LONGEST_REST]


def test_one_that_was_good_for_long_begins_with_a_short_rest_again(choice: Choice, clock: Clock) -> None:
    for _ in range(4):
        leave(choice, 1)
        clock.now += LONGEST_REST
        choice.take(0)
    clock.now += GOOD_AFTER

    leave(choice, 1)

    clock.now += FIRST_REST
    assert choice.better() == [0]


def test_going_back_is_no_fault_of_the_one_that_helped_out(choice: Choice, clock: Clock) -> None:
    leave(choice, 1)
    clock.now += FIRST_REST
    choice.take(0)

    assert choice.order() == [0, 1, 2]


def test_one_failure_may_be_chance_and_several_in_a_row_are_none(choice: Choice) -> None:
    for _ in range(MOST_FAILURES - 1):
        choice.failed(0)
    assert choice.order() == [0, 1, 2]

    choice.worked(0)
    choice.failed(0)
    assert choice.order() == [0, 1, 2], "what worked in between counts"

    choice.failed(0)
    assert choice.order() == [1, 2, 0], "though it may answer when it is asked"


def test_what_a_call_over_another_one_came_to_says_nothing_of_the_one_in_use(choice: Choice) -> None:
    leave(choice, 1)
    for _ in range(MOST_FAILURES):
        choice.failed(0)
        choice.worked(2)

    assert choice.order() == [1, 2, 0]
    assert choice.in_use == 1


def test_when_none_works_none_is_to_blame(choice: Choice) -> None:
    for _ in range(MOST_FAILURES):
        choice.failed(0)

    assert not choice.none_works()
    assert choice.none_works(), "and it is said once"
    assert choice.order() == [0, 1, 2]
    choice.worked(0)
    assert not choice.none_works()


def test_when_none_works_at_the_start_the_first_is_in_use(clock: Clock) -> None:
    choice = Choice(2, clock)
    choice.none_works()
    assert choice.in_use == 0

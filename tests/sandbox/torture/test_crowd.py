"""Who comes on a bad night."""

import random

import pytest

from sandbox.torture.customers import PURCHASES, Habit, crowd


@pytest.mark.parametrize("purchases", [0, 1, 2, 6, 7, 100])
def test_a_crowd_makes_exactly_so_many_purchases(purchases: int) -> None:
    for seed in range(20):
        assert sum(PURCHASES.get(habit, 0) for habit in crowd(purchases, random.Random(seed))) == purchases


def test_six_purchases_are_room_for_every_habit() -> None:
    assert set(crowd(6, random.Random(1))) == set(Habit)


def test_the_same_seed_brings_the_same_crowd() -> None:
    assert crowd(50, random.Random("a")) == crowd(50, random.Random("a"))
    assert crowd(50, random.Random("a")) != crowd(50, random.Random("b"))

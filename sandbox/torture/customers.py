"""Many customers at once, who do what people do: tap again, come back, change their minds, walk away."""

import itertools
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Final, TypeVar

import httpx

from sandbox.customer import Customer, CustomerWentAway
from sandbox.shop import Shop
from sandbox.torture.purchases import Purchases

T = TypeVar("T")

_PLANS: Final = ("month", "quarter", "year")
# Seconds: how long a customer looks at a chat that does not answer before writing again, and how long in all.
_LOOKS_FOR: Final = 6.0
_TRIES_FOR: Final = 90.0
_BEFORE_TAPPING_AGAIN: Final = 1.5
_FOR_ANOTHER_LINK: Final = 15.0
_ARRIVALS_LAST: Final = 6.0
_ARRIVALS_LAST_FOR_EACH: Final = 0.7
_AT_ONCE: Final = 12


class Habit(StrEnum):
    ONCE = "buys once"
    RENEWS = "buys once more"
    TWO_AT_ONCE = "pays two payments at the same time"
    AFTER_A_DECLINE = "is declined, and pays by another card"
    DECLINED = "is declined"
    WALKS_AWAY = "walks away"


PURCHASES: Final = {Habit.ONCE: 1, Habit.RENEWS: 2, Habit.TWO_AT_ONCE: 2, Habit.AFTER_A_DECLINE: 1}
_HOW_OFTEN: Final = {
    Habit.ONCE: 8,
    Habit.RENEWS: 3,
    Habit.TWO_AT_ONCE: 3,
    Habit.AFTER_A_DECLINE: 2,
    Habit.DECLINED: 1,
    Habit.WALKS_AWAY: 1,
}


def crowd(purchases: int, dice: random.Random) -> list[Habit]:
    """Customers who make exactly so many purchases; one of each habit at least, if there is room."""
    chosen: list[Habit] = []
    left = purchases
    wanted = list(Habit)
    while left or wanted:
        habit = wanted.pop() if wanted else dice.choices(list(_HOW_OFTEN), list(_HOW_OFTEN.values()))[0]
        if PURCHASES.get(habit, 0) <= left:
            chosen.append(habit)
            left -= PURCHASES.get(habit, 0)
    dice.shuffle(chosen)
    return chosen


class StubbornCustomer(Customer):
    """Tries again until it works, or until even a patient person would give up."""

    def __init__(self, shop: Shop, user_id: int, purchases: Purchases, seed: str) -> None:
        super().__init__(shop, user_id, patience=_LOOKS_FOR)
        self._purchases = purchases
        self._random = random.Random(seed)  # noqa: S311 - luck, not secrecy
        self._app: tuple[str, str] | None = None

    def visit(self, habit: Habit) -> None:
        first = self._random.choice(_PLANS)
        match habit:
            case Habit.ONCE:
                self._pay(self._open(first))
            case Habit.RENEWS:
                before = self._open(first)
                self._pay(before)
                self._pay(self._open_another(first, before))
            case Habit.TWO_AT_ONCE:
                self._pay(self._open(first), self._open(self._other_than(first)))
            case Habit.AFTER_A_DECLINE:
                refused = self._open(first)
                self._decline(refused)
                self._pay(self._open_another(first, refused))
            case Habit.DECLINED:
                self._decline(self._open(first))
            case Habit.WALKS_AWAY:
                self._open(first)

    def _open(self, plan: str) -> str:
        """The provider's id of the payment. Raises CustomerWentAway."""
        self._app = self._app or self._persist(self.enter)
        init_data, url = self._app
        payment = self._persist(lambda: self.tap(plan, init_data, url))
        self._purchases.opened(payment, self.user_id)
        return payment

    def _persist(self, step: Callable[[], T]) -> T:
        """Whatever goes wrong, a person tries again."""
        deadline = time.monotonic() + _TRIES_FOR
        while True:
            try:
                return step()
            except (CustomerWentAway, httpx.HTTPError) as error:
                if time.monotonic() > deadline:
                    raise CustomerWentAway(f"tried for {_TRIES_FOR:.0f} s: {error}") from error
            self._purchases.tapped_again()
            time.sleep(_BEFORE_TAPPING_AGAIN)

    def _open_another(self, plan: str, before: str) -> str:
        """While the shop has not heard of the old one's end, the same plan is the same link."""
        deadline = time.monotonic() + _FOR_ANOTHER_LINK
        while (payment := self._open(plan)) == before:
            if time.monotonic() > deadline:
                plan = self._other_than(plan)
            time.sleep(_BEFORE_TAPPING_AGAIN)
        return payment

    def _other_than(self, plan: str) -> str:
        return self._random.choice([other for other in _PLANS if other != plan])

    def _pay(self, *payments: str) -> None:
        with ThreadPoolExecutor(len(payments)) as hands:
            list(hands.map(self.pay, payments))
        for payment in payments:
            self._purchases.paid(payment)

    def _decline(self, payment: str) -> None:
        self.pay(payment, "decline")
        self._purchases.declined(payment)


def let_them_come(shop: Shop, guests: Mapping[int, Habit], purchases: Purchases, seed: int) -> None:
    """One after the other, some at once, until everybody has done what they came for, or given up. `guests`: by
    Telegram's id."""
    dice = random.Random(f"arrivals {seed}")  # noqa: S311 - luck, not secrecy
    opened = time.monotonic()
    last = max(_ARRIVALS_LAST, _ARRIVALS_LAST_FOR_EACH * len(guests))
    arrivals = sorted(dice.uniform(0, last) for _ in guests)

    def come(number: int, user_id: int, habit: Habit) -> None:
        time.sleep(max(0.0, opened + arrivals[number] - time.monotonic()))
        customer = StubbornCustomer(shop, user_id, purchases, f"customer {seed} {number}")
        try:
            customer.visit(habit)
        except (CustomerWentAway, httpx.HTTPError) as error:
            purchases.disappointed(user_id, f"{habit}: {error}")
        finally:
            customer.close()

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="customer") as door:
        list(door.map(come, itertools.count(), guests, guests.values()))

"""One whole shop for all tests of this folder: it takes seconds to start."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from sandbox.customer import Customer
from sandbox.shop import Shop, running_shop

_numbers = itertools.count(7_000_000_100)


@pytest.fixture(scope="session")
def whole_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("shop"), {"LOG_LEVEL": "DEBUG"}) as shop:
        yield shop


NewCustomer = Callable[[], Customer]


@pytest.fixture
def new_customer(whole_shop: Shop) -> Iterator[NewCustomer]:
    customers: list[Customer] = []

    def make() -> Customer:
        customers.append(Customer(whole_shop, next(_numbers)))
        return customers[-1]

    yield make
    for customer in customers:
        customer.close()
    whole_shop.stand_ins.troubles.all_off()

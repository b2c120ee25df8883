"""A shop with an account at the stand-in."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from node_a.adapters.payments.yookassa import YooKassa
from node_a.domain.customer import CustomerId
from node_a.domain.money import Money
from node_a.domain.payment import Payment, PaymentId, Shop
from node_a.domain.plan import Plan
from tests.sandbox.yookassa.checked import checked_yookassa
from tests.sandbox.yookassa.running import SECRET_KEY, SHOP_ID, RunningYooKassa

RETURN_URL = "https://shop.example.org/pay/return"

Connect = Callable[..., YooKassa]


@pytest.fixture
def stand_in() -> Iterator[RunningYooKassa]:
    with checked_yookassa() as running:
        yield running


@pytest.fixture
def connect(stand_in: RunningYooKassa) -> Connect:
    def connected(**changes: Any) -> YooKassa:
        settings = {
            "shop_id": SHOP_ID,
            "secret_key": SECRET_KEY,
            "return_url": RETURN_URL,
            "api_url": stand_in.api_url,
            "connect_timeout": 10,
            "read_timeout": 30,
        }
        return YooKassa(**{**settings, **changes})

    return connected


@pytest.fixture
def provider(connect: Connect) -> YooKassa:
    return connect()


@pytest.fixture
def payment(provider: YooKassa) -> Payment:
    """A payment as the ledger holds it before the provider hears of it."""
    opened = Payment(
        id=PaymentId(uuid4()),
        customer_id=CustomerId(4503599627370495),
        plan=Plan("month", 30, Money(19_905), traffic_limit=100 * 2**30),
        shop=Shop(SHOP_ID, test=True),
        opened_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
    return replace(opened, request=provider.request_for(opened, "VPN на 30 дней"))

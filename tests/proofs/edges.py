"""The real edges over a shop under test, in this process: its pages, and its worker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from flask.testing import FlaskClient

from tests.builders import MONTH
from tests.fakes.shop import ShopUnderTest
from tests.node_a.web.shop import FakeShop
from tests.node_a.worker.test_worker import a_worker


def pages(shop: ShopUnderTest) -> FlaskClient:
    """Mini App and webhook over the real use cases."""
    return FakeShop(now=shop.now).client(
        plans={MONTH.code: MONTH},
        register=shop.register,
        open_payment=shop.open_payment,
        show_subscription=shop.show_subscription,
        show_open_payment=shop.show_open_payment,
        show_payment=shop.show_payment,
        nudge=shop.nudge,
    )


@asynccontextmanager
async def working(shop: ShopUnderTest) -> AsyncIterator[None]:
    """The worker runs inside, and must not end there by itself."""
    stopping = asyncio.Event()
    running = asyncio.create_task(a_worker(shop, tick=0.02).run(stopping))
    try:
        yield
        assert not running.done(), "the worker has ended"
    finally:
        stopping.set()
        await running

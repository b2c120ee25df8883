"""Puts the stand-in together as one aiohttp application."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta

from aiohttp import web

from sandbox.store import Store
from sandbox.troubles import Troubles
from sandbox.yookassa.api import Api
from sandbox.yookassa.clock import Clock
from sandbox.yookassa.control import Control
from sandbox.yookassa.faults import Faults
from sandbox.yookassa.idempotence import Answers
from sandbox.yookassa.pay_page import PayPage
from sandbox.yookassa.refunds import Refunds
from sandbox.yookassa.shop import Shop
from sandbox.yookassa.validation import Fiscal
from sandbox.yookassa.webhooks import Webhooks

# Seconds between deliveries of one notification; the last one repeats until 24 hours are over.
REDELIVERY_PAUSES = (1, 2, 5, 10, 30, 60, 300, 900, 3600)


def create_app(
    *,
    shop_id: str,
    secret_key: str,
    webhook_url: str,
    store: Store,
    troubles: Troubles,
    public_url: str,
    redelivery_pauses: Sequence[float] = REDELIVERY_PAUSES,
    webhook_timeout_seconds: float = 10,
) -> web.Application:
    """The stand-in; `public_url` is where customers reach its pay page. The caller runs it and closes `store`.

    `store` belongs to the thread that runs the application's loop.
    """
    clock = Clock(store)
    faults = Faults()
    webhooks = Webhooks(
        url=webhook_url,
        store=store,
        clock=clock,
        troubles=troubles,
        pauses=redelivery_pauses,
        timeout_seconds=webhook_timeout_seconds,
    )
    fiscal = Fiscal()
    shop = Shop(store=store, clock=clock, notify=webhooks.notify, shop_id=shop_id, public_url=public_url, fiscal=fiscal)
    refunds = Refunds(store=store, clock=clock, notify=webhooks.notify, shop=shop, fiscal=fiscal)
    api = Api(
        shop=shop,
        refunds=refunds,
        answers=Answers(store, clock),
        faults=faults,
        fiscal=fiscal,
        shop_id=shop_id,
        secret_key=secret_key,
    )
    control = Control(shop=shop, refunds=refunds, api=api, webhooks=webhooks, clock=clock, faults=faults, fiscal=fiscal)

    async def running(_: web.Application) -> AsyncIterator[None]:
        await webhooks.open()
        expiring = asyncio.create_task(_expire(shop, clock))
        yield
        expiring.cancel()
        with suppress(asyncio.CancelledError):
            await expiring
        await webhooks.close()

    async def closing(_: web.Application) -> None:
        api.closing.set()

    app = web.Application()
    app.add_subapp("/v3", api.application())
    app.add_routes([*PayPage(shop).routes(), *control.routes()])
    app.cleanup_ctx.append(running)
    app.on_shutdown.append(closing)
    return app


async def _expire(shop: Shop, clock: Clock) -> None:
    while True:
        # Deadlines made meanwhile are an hour away, so a look every minute misses none by more than that.
        in_a_minute = clock.now() + timedelta(minutes=1)
        await clock.sleep_until(min(shop.expire_due() or in_a_minute, in_a_minute))

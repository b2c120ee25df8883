"""A purchase through real processes and real HTTP, in good times and in bad ones.

Every exchange is held against the originals' own documents.
"""

import base64
from typing import Any

import httpx
import pytest

from sandbox.customer import keys_and_link
from sandbox.shop import Shop
from tests import reference
from tests.sandbox.marzban.openapi import check_exchange as check_panel
from tests.sandbox.shop.conftest import NewCustomer
from tests.sandbox.telegram.bot_api_spec import check_call
from tests.sandbox.yookassa.openapi import check_exchange as check_yookassa
from tests.waiting import until

pytestmark = pytest.mark.slow


def schemes(keys: list[str]) -> list[str]:
    return sorted(key.partition("://")[0] for key in keys)


def linked(link: str) -> list[str]:
    return base64.b64decode(httpx.get(link, trust_env=False).text).decode().split()


def says(words: str) -> Any:
    def message_with_the_words(message: dict[str, Any]) -> dict[str, Any] | None:
        return message if words in message.get("text", "") else None

    return message_with_the_words


def journal(shop: Shop, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(path, trust_env=False).json()
    return found


def test_from_start_to_keys_in_the_chat(new_customer: NewCustomer) -> None:
    delivery = new_customer().buy("month")

    assert schemes(delivery.keys) == ["ss", "vless"]
    assert sorted(linked(delivery.subscription_link)) == sorted(delivery.keys)


def test_a_lost_webhook_costs_only_time(whole_shop: Shop, new_customer: NewCustomer) -> None:
    whole_shop.stand_ins.troubles.lose_next_webhook = True

    delivery = new_customer().buy("month")

    assert schemes(delivery.keys) == ["ss", "vless"]
    assert not whole_shop.stand_ins.troubles.lose_next_webhook


def test_a_webhook_that_comes_twice_is_one_purchase(whole_shop: Shop, new_customer: NewCustomer) -> None:
    whole_shop.stand_ins.troubles.send_webhooks_twice = True
    customer = new_customer()

    customer.buy("month")
    customer.write("/my")

    assert customer.wait_for(says("осталось 30 дней"))


def test_a_dead_panel_delays_its_key_and_not_the_other(whole_shop: Shop, new_customer: NewCustomer) -> None:
    whole_shop.stand_ins.troubles.nodes["de1"].marzban_down = True
    delivery = new_customer().buy("month")
    assert schemes(delivery.keys) == ["ss"]

    whole_shop.stand_ins.troubles.nodes["de1"].marzban_down = False
    until(lambda: len(linked(delivery.subscription_link)) == 2)

    assert schemes(linked(delivery.subscription_link)) == ["ss", "vless"]


def test_telegram_down_at_the_moment_of_paying_delays_the_message(whole_shop: Shop, new_customer: NewCustomer) -> None:
    customer = new_customer()
    payment = customer.choose("month")
    whole_shop.stand_ins.troubles.telegram_down = True
    customer.pay(payment)
    until(
        lambda: any(
            call["method"] == "sendMessage" and call["status"] is None
            for call in journal(whole_shop, f"{whole_shop.chat_url}/sandbox/calls")
        )
    )

    whole_shop.stand_ins.troubles.telegram_down = False
    keys, _ = customer.wait_for(keys_and_link)

    assert schemes(keys) == ["ss", "vless"]


def test_a_declined_payment_is_told_and_the_next_one_works(new_customer: NewCustomer) -> None:
    customer = new_customer()
    customer.pay(customer.choose("month"), "decline")
    customer.wait_for(says("Платёж не прошёл"))

    assert schemes(customer.buy("month").keys) == ["ss", "vless"]


def test_a_forged_webhook_moves_nothing_because_the_provider_is_asked(
    whole_shop: Shop, new_customer: NewCustomer
) -> None:
    customer = new_customer()
    payment = customer.choose("month")
    forged = {
        "type": "notification",
        "event": "payment.succeeded",
        "object": {"id": payment, "status": "succeeded", "paid": True},
    }

    answer = httpx.post(f"{whole_shop.web_url}/webhooks/yookassa", json=forged, trust_env=False)
    asked = f"/v3/payments/{payment}"
    until(lambda: asked in [e["path"] for e in journal(whole_shop, f"{whole_shop.yookassa_url}/sandbox/requests")])
    customer.write("/my")

    assert answer.status_code == 200
    assert customer.wait_for(says("У вас пока нет подписки"))


def test_every_exchange_with_yookassa_is_valid_by_its_own_document(whole_shop: Shop, new_customer: NewCustomer) -> None:
    reference.document("specs/yookassa-openapi.yaml")
    new_customer().buy("year")
    exchanges = journal(whole_shop, f"{whole_shop.yookassa_url}/sandbox/requests")

    assert {exchange["method"] for exchange in exchanges} == {"GET", "POST"}
    assert [problem for exchange in exchanges for problem in check_yookassa(exchange)] == []


def test_every_call_to_telegram_is_known_and_typed(whole_shop: Shop, new_customer: NewCustomer) -> None:
    reference.document("specs/telegram-bot-api.json")
    customer = new_customer()
    customer.buy("month")
    for command in ("/my", "/serverstats", "/help", "/paysupport", "hello"):
        customer.write(command)
    customer.wait_for(lambda message: message.get("photo"))
    calls = journal(whole_shop, f"{whole_shop.chat_url}/sandbox/calls")

    assert {"getMe", "getUpdates", "sendMessage", "sendPhoto"} <= {call["method"] for call in calls}
    assert [problem for call in calls for problem in check_call(call)] == []


def test_every_exchange_with_the_panel_is_valid_by_its_own_document(
    whole_shop: Shop, new_customer: NewCustomer
) -> None:
    reference.document("specs/marzban-openapi.json")
    new_customer().buy("month")
    exchanges = journal(whole_shop, f"{whole_shop.node_urls['de1']}/sandbox/marzban/requests")

    assert [problem for exchange in exchanges if exchange["status"] for problem in check_panel(exchange)] == []

"""The genuine SDK drives the stand-in through a whole sale."""

import uuid
from collections.abc import Iterator

import pytest
from yookassa import Configuration, Payment, Refund, Settings
from yookassa.domain.exceptions import BadRequestError, NotFoundError, UnauthorizedError
from yookassa.domain.notification import WebhookNotification

from tests.sandbox.yookassa.bodies import a_payment, a_receipt
from tests.sandbox.yookassa.openapi import check_exchange
from tests.sandbox.yookassa.running import SECRET_KEY, SHOP_ID, RunningYooKassa


@pytest.fixture
def configured(yookassa: RunningYooKassa) -> Iterator[RunningYooKassa]:
    Configuration.configure(SHOP_ID, SECRET_KEY, api_url=yookassa.api_url)
    yield yookassa
    Configuration.configure(None, None)


def test_a_sale_and_its_refund(configured: RunningYooKassa) -> None:
    created = Payment.create(a_payment(receipt=a_receipt()), str(uuid.uuid4()))
    assert created.confirmation.confirmation_url == f"{configured.url}/pay/{created.id}"

    configured.pay(created.id)
    found = Payment.find_one(created.id)
    assert (found.status, found.paid, str(found.amount.value)) == ("succeeded", True, "199.00")
    assert found.metadata == {"payment": "5b3f", "cms_name": "yookassa_sdk_python"}

    notification = WebhookNotification(configured.receiver.next())
    assert (notification.event, notification.object.id) == ("payment.succeeded", created.id)

    money = {"value": "50.00", "currency": "RUB"}
    given_back = Refund.create({"payment_id": created.id, "amount": money}, str(uuid.uuid4()))
    assert Refund.find_one(given_back.id).status == "succeeded"
    assert [item.id for item in Refund.list({"payment_id": created.id}).items] == [given_back.id]
    assert [item.id for item in Payment.list({"limit": 5}).items] == [created.id]
    assert Settings.get_account_settings().account_id == SHOP_ID
    for exchange in configured.exchanges():
        assert check_exchange(exchange) == [], exchange


def test_holding_and_letting_go(configured: RunningYooKassa) -> None:
    created = Payment.create(a_payment(capture=False), str(uuid.uuid4()))
    configured.pay(created.id)

    assert Payment.cancel(created.id).status == "canceled"
    with pytest.raises(BadRequestError):
        Payment.capture(created.id)


def test_its_errors_are_understood(configured: RunningYooKassa) -> None:
    with pytest.raises(NotFoundError):
        Payment.find_one(str(uuid.uuid4()))
    Configuration.configure(SHOP_ID, "test_wrong", api_url=configured.api_url)
    with pytest.raises(UnauthorizedError):
        Payment.list()

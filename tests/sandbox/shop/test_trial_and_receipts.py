"""A shop that gives trials and owes tax receipts, as real processes."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.customer import Customer, keys_and_link
from sandbox.shop import Shop, running_shop
from tests import reference
from tests.sandbox.shop.test_purchase import journal, schemes
from tests.sandbox.yookassa.openapi import check_exchange

pytestmark = pytest.mark.slow

SETTINGS = {
    "LOG_LEVEL": "DEBUG",
    "TRIAL_DAYS": "3",
    "TRIAL_TRAFFIC_GB": "10",
    "TRIALS_PER_DAY": "1",
    "RECEIPTS": "true",
    "RECEIPT_VAT_CODE": "11",
}
HERS = "anna.of.the.receipts@example.com"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with running_shop(tmp_path_factory.mktemp("generous"), SETTINGS) as shop:
        yield shop


class AtTheMiniApp:
    """A customer who has opened the Mini App."""

    def __init__(self, shop: Shop, number: int) -> None:
        self.customer = Customer(shop, number)
        init_data, self._page = self.customer.enter()
        self._headers = {"Authorization": f"tma {init_data}"}

    def home(self) -> str:
        return httpx.get(f"{self._page}/home", headers=self._headers, trust_env=False).text

    def posts(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return httpx.post(f"{self._page}/{path}", headers=self._headers, json=body, trust_env=False, timeout=30)


@pytest.fixture
def enters(shop: Shop) -> Iterator[Any]:
    entered: list[AtTheMiniApp] = []

    def enter(number: int) -> AtTheMiniApp:
        entered.append(AtTheMiniApp(shop, number))
        return entered[-1]

    yield enter
    for one in entered:
        one.customer.close()


def test_a_trial_brings_the_keys_into_the_chat_and_the_cap_holds(enters: Any) -> None:
    anna, olga = enters(7_000_000_501), enters(7_000_000_502)
    assert 'data-testid="take-trial"' in anna.home()

    assert anna.posts("trial", {}).status_code == 201
    keys, _ = anna.customer.wait_for(keys_and_link)

    assert schemes(keys) == ["ss", "vless"]
    assert "take-trial" not in anna.home()
    assert "take-trial" not in olga.home()
    assert olga.posts("trial", {}).status_code == 409


def test_the_buyers_address_is_asked_for_and_reaches_the_provider_and_no_log(shop: Shop, enters: Any) -> None:
    reference.document("specs/yookassa-openapi.yaml")
    anna = enters(7_000_000_503)
    assert anna.posts("payments", {"plan": "month"}).status_code == 422
    assert anna.posts("payments", {"plan": "month", "receipt_to": "anna.of.the.receipts"}).status_code == 422

    opened = anna.posts("payments", {"plan": "month", "receipt_to": HERS})
    assert opened.status_code == 201
    link = re.search(re.escape(shop.yookassa_url) + r"/pay/([0-9a-f-]+)", opened.text)
    assert link is not None
    anna.customer.pay(link[1])
    anna.customer.wait_for(keys_and_link)

    exchanges = journal(shop, f"{shop.yookassa_url}/sandbox/requests")
    [receipt] = [one["request"]["receipt"] for one in exchanges if one["method"] == "POST"]
    assert receipt["customer"] == {"email": HERS}
    assert [(item["vat_code"], item["amount"]["value"]) for item in receipt["items"]] == [(11, "199.00")]
    assert [problem for exchange in exchanges for problem in check_exchange(exchange)] == []
    assert f'value="{HERS}"' in anna.home()
    assert "anna.of.the.receipts" not in shop.log.read_text(encoding="utf-8")

"""The e-mail for the tax receipt in the Mini App."""

import pytest
from structlog.testing import capture_logs

from tests.node_a.web.shop import FakeShop, tma

HERS = "anna@example.com"


def buys(shop: FakeShop, **order: object) -> tuple[int, str]:
    answer = shop.client().post("/app/payments", json={"plan": "month", **order}, headers=tma())
    return answer.status_code, answer.text


def test_where_receipts_are_off_nobody_is_asked() -> None:
    shop = FakeShop(last_address=HERS)
    home = shop.client().get("/app/home", headers=tma()).text
    for trace in ("receipt", "e-mail", "input", HERS):
        assert trace not in home
    assert buys(shop)[0] == 201
    assert shop.receipts_to == [None]


def test_the_field_is_empty_at_first_and_remembers_the_customers_last_address() -> None:
    shop = FakeShop(receipts=True)
    client = shop.client()
    assert 'id="receipt-to"' in client.get("/app/home", headers=tma()).text
    assert 'value=""' in client.get("/app/home", headers=tma()).text
    shop.last_address = HERS
    home = client.get("/app/home", headers=tma()).text
    assert f'value="{HERS}"' in home
    assert "aria-invalid" not in home


def test_the_address_goes_with_the_order() -> None:
    shop = FakeShop(receipts=True, last_address="old@example.com")
    assert buys(shop, receipt_to=HERS)[0] == 201
    assert shop.receipts_to == [HERS]


def test_a_screen_without_the_field_buys_with_the_last_address() -> None:
    shop = FakeShop(receipts=True, last_address=HERS)
    assert buys(shop)[0] == 201
    assert shop.receipts_to == [HERS]


@pytest.mark.parametrize("typed", ["anna", "", '"><script>'])
def test_what_is_no_address_is_told_at_its_field_and_stays_there(typed: str) -> None:
    shop = FakeShop(receipts=True, last_address=HERS)
    status, screen = buys(shop, receipt_to=typed)
    assert status == 422
    assert 'data-view="home"' in screen
    assert 'aria-invalid="true"' in screen
    assert "<script>" not in screen
    assert HERS not in screen
    assert f'value="{typed}"' in screen.replace("&#34;&gt;&lt;script&gt;", '"><script>')
    assert not shop.payments


@pytest.mark.parametrize("typed", [None, 7, ["anna@example.com"], {"a": 1}])
def test_an_order_without_any_address_leads_to_the_field(typed: object) -> None:
    shop = FakeShop(receipts=True)
    status, screen = buys(shop, receipt_to=typed)
    assert (status, 'aria-invalid="true"' in screen) == (422, True)
    assert not shop.payments


@pytest.mark.parametrize("error", [None, RuntimeError("a bug"), ValueError("another")])
def test_the_address_is_in_no_log_line(error: Exception | None) -> None:
    shop = FakeShop(receipts=True, failing={"open_payment": error} if error else {})
    with capture_logs() as logs:
        buys(shop, receipt_to=HERS)
        buys(shop, receipt_to=f"{HERS}@")
    assert logs
    assert "anna" not in repr(logs)

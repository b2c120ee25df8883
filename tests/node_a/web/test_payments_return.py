"""Where customers come back to from the pay page."""

from datetime import timedelta
from uuid import UUID

import pytest

from node_a.application.overview import PaymentStage
from tests.node_a.web.shop import NOW, FakeShop, a_subscription

ENGLISH = {"Accept-Language": "en"}


@pytest.mark.parametrize("stage", list(PaymentStage))
def test_it_says_how_far_our_payment_is_and_the_way_back_and_never_a_key(stage: PaymentStage) -> None:
    shop = FakeShop()
    id = shop.stage(stage, a_subscription())
    page = shop.client().get(f"/pay/return?payment={id}", headers=ENGLISH)
    assert page.status_code == 200
    assert f'data-stage="{stage}"' in page.text
    assert 'href="https://t.me/qent_bot"' in page.text
    for key in ("vless://", "ss://", "/sub/"):
        assert key not in page.text
    assert ('http-equiv="refresh"' in page.text) == (stage is PaymentStage.WAITING)


@pytest.mark.parametrize("query", ["", "?payment=", "?payment=x", f"?payment={UUID(int=99)}", "?payment=1&payment=2"])
def test_an_unknown_payment_gets_the_same_way_back(query: str) -> None:
    page = FakeShop().client().get(f"/pay/return{query}", headers=ENGLISH)
    assert page.status_code == 200
    assert 'data-stage="unknown"' in page.text
    assert 'href="https://t.me/qent_bot"' in page.text
    assert "refresh" not in page.text


def test_it_speaks_the_browsers_language() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.WAITING)
    for language, words in (("ru", "Ждём оплату"), ("en-US,en;q=0.9", "Waiting for the payment"), ("", "Ждём оплату")):
        page = shop.client().get(f"/pay/return?payment={id}", headers={"Accept-Language": language})
        assert words in page.text


def test_it_loads_itself_ever_more_rarely_and_stops_after_an_hour() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.WAITING)
    client = shop.client()
    again = f"/pay/return?payment={id}&amp;again=1"
    first = client.get(f"/pay/return?payment={id}").text
    assert f'http-equiv="refresh" content="1; url={again}"' in first
    for minutes, refresh in ((0, 3), (10, 15), (61, None)):
        shop.now = NOW + timedelta(minutes=minutes)
        page = client.get(f"/pay/return?payment={id}&again=1").text
        assert (f'content="{refresh}; url={again}"' in page) if refresh else ("refresh" not in page)

"""The Mini App's home says what the customer has: it works, it rests, it has ended; and how much traffic is used."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from node_a.application.overview import PaymentStage, TrafficView
from node_a.domain.errors import LedgerUnavailable
from node_a.domain.subscription import SubscriptionState
from tests.node_a.web.shop import NOW, FakeShop, a_limited_subscription, a_subscription, tma


@pytest.fixture
def shop() -> FakeShop:
    return FakeShop()


def home(shop: FakeShop, language: str = "en") -> str:
    """What a reader sees, with ordinary spaces; the markup of the plot left in."""
    response = shop.client().get("/app/home", headers=tma(language=language))
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.text.replace("\u00a0", " "))


def test_traffic_is_shown_with_its_limit_and_when_it_begins_anew(shop: FakeShop) -> None:
    shop.subscription = a_limited_subscription()
    page = home(shop)

    assert 'data-state="active"' in page
    assert "<b>83.4 GB</b> of 100 GB" in page
    assert 'max="100000000000" value="83400000000"' in page
    assert "Counted anew from 26 November 2026" in page
    assert page.count("<rect") == 30
    assert 'class="full"' not in page


def test_without_a_limit_there_is_no_bar_to_fill(shop: FakeShop) -> None:
    shop.subscription = a_subscription()
    page = home(shop, "ru")

    assert "<b>1,5 ГБ</b> использовано, без ограничений" in page
    assert "<progress" not in page
    assert "Новый отсчёт" not in page


def test_without_a_limit_nothing_is_counted_anew(shop: FakeShop) -> None:
    plain = a_subscription()
    assert plain.traffic is not None
    shop.subscription = replace(plain, traffic=replace(plain.traffic, until=NOW + timedelta(days=3)))
    assert "Counted anew" not in home(shop)


def test_who_has_keys_is_shown_the_way_to_the_guide(shop: FakeShop) -> None:
    shop.subscription = a_subscription()
    assert re.search(
        rf'<a [^>]*href="{shop.subscription.link}"[^>]*data-action="open"[^>]*data-testid="guide"', home(shop)
    )
    shop.subscription = a_subscription(days=-1)
    assert 'data-testid="guide"' not in home(shop)


@pytest.mark.parametrize(
    ("language", "until"),
    [("en", "by themselves on 26 November 2026"), ("ru", "Ключи сами заработают снова 26 ноября")],
)
def test_used_up_says_when_the_keys_work_again(shop: FakeShop, language: str, until: str) -> None:
    shop.subscription = a_limited_subscription(SubscriptionState.SUSPENDED)
    page = home(shop, language)

    assert 'data-state="suspended"' in page
    assert until in page
    assert 'class="full"' in page
    assert 'data-testid="key"' not in page
    assert 'data-testid="plan-month"' in page


def test_used_up_with_no_period_to_come_only_offers_to_renew(shop: FakeShop) -> None:
    suspended = a_limited_subscription(SubscriptionState.SUSPENDED)
    traffic = TrafficView(100 * 10**9, 100 * 10**9, suspended.ends_at)
    shop.subscription = a_limited_subscription(SubscriptionState.SUSPENDED, traffic=traffic)
    page = home(shop)

    assert "Renew now, and the keys work at once." in page
    assert "by themselves" not in page
    assert "Counted anew" not in page


def test_in_grace_it_has_ended_and_the_keys_are_still_there(shop: FakeShop) -> None:
    shop.subscription = a_limited_subscription(SubscriptionState.GRACE)
    page = home(shop)

    assert 'data-state="grace"' in page
    assert "It ended on 21 November 2026. The keys still work until 24 November 2026, 15:00 Moscow time" in page
    assert page.count('data-testid="key"') == 2
    assert "0 days left" not in page


def test_what_has_ended_has_no_traffic(shop: FakeShop) -> None:
    shop.subscription = a_subscription(days=-3)
    shop.failing["show_traffic"] = LedgerUnavailable("it was asked all the same")
    page = home(shop)

    assert 'data-state="expired"' in page
    assert 'data-testid="traffic"' not in page


def test_who_has_nothing_sees_no_traffic(shop: FakeShop) -> None:
    assert 'data-testid="traffic"' not in home(shop)


def test_a_payment_whose_traffic_is_used_up_meanwhile_is_not_called_over(shop: FakeShop) -> None:
    id = shop.stage(PaymentStage.READY, a_limited_subscription(SubscriptionState.SUSPENDED))
    page = shop.client().get(f"/app/payments/{id}", headers=tma()).text

    assert "The traffic of this period is used up" in page
    assert "days are over" not in page

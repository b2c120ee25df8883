"""The trial in the Mini App."""

from dataclasses import replace
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from node_a.domain.errors import CustomerBanned, LedgerUnavailable, TrialRefused
from tests.node_a.web.shop import NOW, TRIAL, FakeShop, a_subscription, tma


def problem(response: TestResponse) -> str | None:
    text = response.text
    return text.split('data-problem="')[1].split('"')[0] if "data-problem" in text else None


def test_home_offers_the_trial_to_whom_it_is_for() -> None:
    home = FakeShop(trial=TRIAL).client().get("/app/home", headers=tma()).text
    assert 'data-action="trial"' in home
    assert "Try it for 3 days, free" in home
    assert "10\u00a0GB" in home
    for nobody in (FakeShop(), FakeShop(trial=TRIAL, subscription=a_subscription(days=-3))):
        assert "trial" not in nobody.client().get("/app/home", headers=tma()).text


def test_the_traffic_of_a_trial_is_for_all_of_it_and_never_a_month() -> None:
    running = replace(a_subscription(days=3), plan=TRIAL)
    for shop in (FakeShop(trial=TRIAL), FakeShop(subscription=running)):
        home = shop.client().get("/app/home", headers=tma()).text
        assert "10\u00a0GB" in home
        assert "10\u00a0GB a month" not in home


def test_after_the_tap_the_keys_are_on_their_way_and_then_there() -> None:
    shop = FakeShop(trial=TRIAL)
    client = shop.client()

    taken = client.post("/app/trial", json={}, headers=tma())

    assert taken.status_code == 201
    assert 'data-stage="preparing"' in taken.text
    assert 'data-poll-path="/app/trial"' in taken.text
    assert client.get("/app/trial", headers=tma()).text == taken.text
    shop.subscription = a_subscription(days=3)
    ready = client.get("/app/trial", headers=tma()).text
    assert 'data-stage="ready"' in ready
    assert "data-poll-path" not in ready
    assert ready.count('data-testid="key"') == 2
    assert "25 November 2026" in ready


def test_a_repeated_tap_whose_answer_was_lost_shows_what_it_gave() -> None:
    client = FakeShop(trial=TRIAL).client()
    client.post("/app/trial", json={}, headers=tma())

    again = client.post("/app/trial", json={}, headers=tma())

    assert again.status_code == 200
    assert 'data-state="active"' in again.text
    assert "Your keys are being prepared" in again.text
    assert 'data-poll-path="/app/home"' in again.text


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (TrialRefused("off"), 409, "trial-refused"),
        (CustomerBanned("7"), 403, "banned"),
        (LedgerUnavailable("locked"), 503, "busy"),
    ],
)
@pytest.mark.parametrize("subscription", [None, a_subscription(days=-3)], ids=["new", "ended"])
def test_a_refusal_is_told_in_kind_words(error: Exception, status: int, name: str, subscription: object) -> None:
    shop = FakeShop(trial=TRIAL, subscription=subscription, failing={"take_trial": error})  # type: ignore[arg-type]
    answer = shop.client().post("/app/trial", json={}, headers=tma())
    assert (answer.status_code, problem(answer)) == (status, name)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_valid_init_data_there_is_no_trial(method: str) -> None:
    shop = FakeShop(trial=TRIAL)
    client = shop.client()
    for headers in ({}, tma(at=NOW - timedelta(hours=2))):
        assert client.open("/app/trial", method=method, headers=headers).status_code == 401
    assert shop.subscription is None


def test_taps_count_as_requests_and_looks_as_polls() -> None:
    shop = FakeShop(trial=TRIAL)
    client = shop.client()
    statuses = [client.post("/app/trial", json={}, headers=tma()).status_code for _ in range(31)]
    assert (statuses[0], statuses[-1]) == (201, 429)
    assert client.get("/app/home", headers=tma()).status_code == 429
    assert [client.get("/app/trial", headers=tma()).status_code for _ in range(61)] == [200] * 60 + [429]


def test_who_never_took_a_trial_sees_the_shop() -> None:
    assert 'data-view="home"' in FakeShop().client().get("/app/trial", headers=tma()).text

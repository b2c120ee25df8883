"""The subscription link."""

import base64

import pytest
from structlog.testing import capture_logs

from node_a.domain.errors import LedgerUnavailable
from tests.node_a.web.shop import LINK_TOKEN, SHADOWSOCKS, VLESS, FakeShop, a_subscription


def test_an_app_gets_every_key_as_base64_lines() -> None:
    answer = FakeShop(subscription=a_subscription()).client().get(f"/sub/{LINK_TOKEN}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    assert base64.b64decode(answer.data).decode().split("\n") == [VLESS, SHADOWSOCKS]


def test_the_answer_is_kept_by_nobody_and_named_for_the_app() -> None:
    client = FakeShop(subscription=a_subscription()).client(shop_name="Сова")
    headers = client.get(f"/sub/{LINK_TOKEN}").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert base64.b64decode(headers["profile-title"].removeprefix("base64:")).decode() == "Сова"
    assert headers["profile-update-interval"] == "12"


@pytest.mark.parametrize("subscription", [a_subscription(days=-1), a_subscription(keys=[], preparing=2)])
def test_ended_or_not_yet_ready_is_an_empty_list_and_no_error(subscription: object) -> None:
    shop = FakeShop(subscription=subscription)  # type: ignore[arg-type]
    answer = shop.client().get(f"/sub/{LINK_TOKEN}")
    assert (answer.status_code, answer.data) == (200, b"")


def test_unknown_malformed_and_rotated_tokens_get_the_very_same_answer() -> None:
    client = FakeShop(subscription=a_subscription()).client()
    answers = [client.get(f"/sub/{token}") for token in ("A" * 43, "x", "%00", "ключ", LINK_TOKEN[:-1] + "B", "a/b")]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert len({str(sorted(answer.headers)) for answer in answers}) == 1


def test_a_link_is_never_logged_and_a_silent_database_is_not_a_lost_subscription() -> None:
    shop = FakeShop(subscription=a_subscription())
    client = shop.client()
    with capture_logs() as logs:
        client.get(f"/sub/{LINK_TOKEN}")
        client.get(f"/sub/{LINK_TOKEN}x")
        shop.failing["open_link"] = LedgerUnavailable("locked")
        answer = client.get(f"/sub/{LINK_TOKEN}")
    assert logs == []
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def test_an_unexpected_error_does_not_put_the_token_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shop = FakeShop(subscription=a_subscription(), failing={"open_link": RuntimeError("a bug")})
    answer = shop.client().get(f"/sub/{LINK_TOKEN}")
    assert answer.status_code == 500
    assert "/sub/<token>" in caplog.text
    assert LINK_TOKEN not in caplog.text

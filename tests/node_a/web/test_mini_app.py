"""The Mini App's shell and fragments."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from node_a.application.overview import PaymentStage, PaymentView
from node_a.domain.customer import Standing
from node_a.domain.errors import (
    CustomerBanned,
    LedgerUnavailable,
    PaymentRefused,
    ProviderUnavailable,
    UnknownCustomer,
)
from tests.node_a.web.shop import (
    ANNA,
    LINK_TOKEN,
    NOW,
    OUTLINE,
    PLANS,
    SHADOWSOCKS,
    TRIAL,
    VLESS,
    FakeShop,
    a_payment,
    a_subscription,
    init_data,
    tma,
)

MOVING = {PaymentStage.WAITING, PaymentStage.PREPARING, PaymentStage.SLOW}


def problem(response: TestResponse) -> str | None:
    text = response.text
    return text.split('data-problem="')[1].split('"')[0] if "data-problem" in text else None


def test_the_shell_is_the_same_for_everybody_and_waits_for_no_foreign_script() -> None:
    client = FakeShop().client()
    shell = client.get("/app")
    assert shell.status_code == 200
    assert shell.data == client.get("/app", headers=tma()).data
    assert '<script async src="https://telegram.org/js/telegram-web-app.js">' in shell.text
    assert 'type="module" src="/static/app.js?v=' in shell.text


def test_the_shell_has_the_sentences_for_a_lost_network_in_both_languages() -> None:
    shell = FakeShop().client().get("/app").text
    assert '<template data-offline="ru">' in shell
    assert "Нет связи" in shell
    assert '<template data-offline="en">' in shell
    assert "No connection" in shell
    assert shell.count('data-testid="retry"') == 2


def test_our_own_copy_of_telegrams_script_is_served_when_there_is_one(tmp_path: Path) -> None:
    file = tmp_path / "copy.js"
    file.write_text("// genuine")
    client = FakeShop().client(telegram_script_file=file)
    assert '<script async src="/telegram-web-app.js">' in client.get("/app").text
    with client.get("/telegram-web-app.js") as script:
        assert script.data == b"// genuine"
        assert script.mimetype == "text/javascript"
        assert "max-age=3600" in script.headers["Cache-Control"]
    file.unlink()
    assert client.get("/telegram-web-app.js").status_code == 404
    assert FakeShop().client().get("/telegram-web-app.js").status_code == 404


def test_home_of_a_new_customer_shows_the_plans_and_registers_them() -> None:
    shop = FakeShop()
    home = shop.client().get("/app/home", headers=tma())
    assert home.status_code == 200
    assert shop.registered == [ANNA]
    for code in ("month", "quarter", "year"):
        assert f'data-testid="plan-{code}"' in home.text
    assert "1 month" in home.text
    assert "199\u00a0₽" in home.text
    assert "166\u00a0₽ a month" in home.text  # a third of 499
    assert "150\u00a0₽ a month" in home.text  # a twelfth of 1799
    assert 'data-testid="key"' not in home.text


def test_home_with_a_subscription_shows_its_days_keys_and_link() -> None:
    shop = FakeShop(subscription=a_subscription(days=12, preparing=2))
    home = shop.client().get("/app/home", headers=tma(language="ru")).text
    assert "Осталось 12 дней" in home
    assert 'data-state="active"' in home
    assert home.count('data-testid="copy-key"') == 2
    assert f'data-link="{VLESS}"' in home
    assert f'data-link="{SHADOWSOCKS}"' in home
    assert f'data-link="http://shop.test/sub/{LINK_TOKEN}"' in home
    assert "Готовим ещё 2 ключа" in home
    assert 'data-testid="plan-month"' in home
    assert 'data-poll-path="/app/home"' in home  # "will appear by themselves" is a promise


def test_a_key_for_outline_is_shown_apart_where_there_is_one() -> None:
    shop = FakeShop(subscription=a_subscription(outline=[OUTLINE]))
    home = shop.client().get("/app/home", headers=tma(language="ru")).text

    apart = home[home.index('data-testid="outline"') :]
    assert "Для приложения Outline" in apart
    assert f'data-testid="outline-key" data-link="{OUTLINE}"' in apart
    assert home.count('data-testid="copy-key"') == 2
    assert "Outline" not in FakeShop(subscription=a_subscription()).client().get("/app/home", headers=tma()).text


def test_home_leads_back_to_a_payment_that_can_still_be_paid() -> None:
    shop = FakeShop()
    assert 'data-testid="open-payment"' not in shop.client().get("/app/home", headers=tma()).text
    shop.open_to_pay = a_payment(5, ANNA, next(iter(PLANS.values())))

    home = shop.client().get("/app/home", headers=tma()).text

    assert 'data-testid="open-payment"' in home
    assert f'data-action="payment" data-payment="{shop.open_to_pay.id}"' in home


def test_home_after_the_end_offers_renewal_and_no_keys() -> None:
    home = FakeShop(subscription=a_subscription(days=-3)).client().get("/app/home", headers=tma()).text
    assert 'data-state="expired"' in home
    assert "The subscription has ended" in home
    assert "data-link" not in home


@pytest.mark.parametrize(("language", "title"), [("ru", "Тарифы"), ("en", "Plans"), ("de", "Plans"), (None, "Тарифы")])
def test_fragments_speak_the_customers_language(language: str | None, title: str) -> None:
    assert title in FakeShop().client().get("/app/home", headers=tma(language=language)).text


def test_values_are_escaped() -> None:
    home = FakeShop().client(support_contact='"><b>').get("/app/home", headers=tma()).text
    assert "&#34;&gt;&lt;b&gt;" in home


def test_buying_opens_a_payment_and_shows_where_to_pay() -> None:
    shop = FakeShop()
    answer = shop.client().post("/app/payments", json={"plan": "month"}, headers=tma())
    assert answer.status_code == 201
    (id,) = shop.payments
    assert f'data-payment="{id}"' in answer.text
    assert 'data-stage="waiting"' in answer.text
    assert 'data-pay-link="https://pay.test/1"' in answer.text
    assert 'href="https://pay.test/1"' in answer.text
    assert f'data-poll-path="/app/payments/{id}"' in answer.text


@pytest.mark.parametrize("stage", list(PaymentStage))
def test_buying_shows_how_far_the_payment_really_is(stage: PaymentStage) -> None:
    """Another thread, or the worker, may have come first."""
    shop = FakeShop(opened_at_stage=stage)

    answer = shop.client().post("/app/payments", json={"plan": "month"}, headers=tma())

    assert answer.status_code == 201
    assert f'data-stage="{stage}"' in answer.text
    assert ("data-poll-path" in answer.text) == (stage in MOVING)
    assert ('data-testid="pay-link"' in answer.text) == (stage is PaymentStage.WAITING)


@pytest.mark.parametrize("body", ["", "{", "[]", "7", "{}", '{"plan": 7}', '{"plan": "gold"}'])
def test_an_order_that_names_no_plan_on_sale_is_answered_kindly(body: str) -> None:
    shop = FakeShop()
    answer = shop.client().post("/app/payments", data=body, content_type="application/json", headers=tma())
    assert (answer.status_code, problem(answer)) == (404, "unknown-plan")
    assert not shop.payments


@pytest.mark.parametrize(
    ("error", "status", "name", "sentence"),
    [
        (ProviderUnavailable("silent"), 503, "provider-silent", "No money was taken"),
        (PaymentRefused("bad shop"), 502, "payment-refused", "no money was taken"),
        (CustomerBanned("7"), 403, "banned", "Purchases are closed"),
        (LedgerUnavailable("locked"), 503, "busy", "on our side"),
        (RuntimeError("a bug"), 500, "broken", "on our side"),
    ],
)
def test_every_trouble_with_buying_is_told_in_kind_words(
    error: Exception, status: int, name: str, sentence: str
) -> None:
    shop = FakeShop(failing={"open_payment": error})
    answer = shop.client().post("/app/payments", json={"plan": "month"}, headers=tma())
    assert (answer.status_code, problem(answer)) == (status, name)
    assert sentence in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)
    for secret in ("a bug", "bad shop", "Traceback"):
        assert secret not in answer.text


def test_a_payment_that_could_not_be_opened_leaves_its_place_to_the_next() -> None:
    shop = FakeShop(failing={"open_payment": ProviderUnavailable("silent")})
    client = shop.client(payments_at_once=1)
    for _ in range(3):
        assert client.post("/app/payments", json={"plan": "month"}, headers=tma()).status_code == 503
    shop.failing.clear()
    for _ in range(3):
        assert client.post("/app/payments", json={"plan": "month"}, headers=tma()).status_code == 201


@pytest.mark.parametrize("stage", list(PaymentStage))
def test_the_waiting_screen_tells_the_truth_and_when_to_ask_again(stage: PaymentStage) -> None:
    shop = FakeShop()
    id = shop.stage(stage, a_subscription() if stage is PaymentStage.READY else None)
    screen = shop.client().get(f"/app/payments/{id}", headers=tma()).text
    assert f'data-stage="{stage}"' in screen
    assert ("data-poll-path" in screen) == (stage in MOVING)
    assert ('data-testid="pay-link"' in screen) == (stage is PaymentStage.WAITING)
    assert ('data-testid="key"' in screen) == (stage is PaymentStage.READY)
    assert ('data-testid="retry"' in screen) == (stage in {PaymentStage.DECLINED, PaymentStage.ABANDONED})


def test_a_paid_payment_goes_on_looking_until_the_last_key_is_there() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.READY, a_subscription(keys=[VLESS], preparing=1))
    path = f"/app/payments/{id}"
    assert f'data-poll-path="{path}"' in shop.client().get(path, headers=tma()).text

    shop.move(id, PaymentStage.READY, a_subscription())
    assert "data-poll-path" not in shop.client().get(path, headers=tma()).text


def test_a_slow_server_is_called_so_and_the_message_is_promised() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.SLOW)
    screen = shop.client().get(f"/app/payments/{id}", headers=tma(language="ru")).text
    assert "Сервер сейчас не отвечает" in screen
    assert "ключи сами придут в чат" in screen


def test_a_payment_without_a_link_yet_has_no_button_to_nowhere() -> None:
    shop = FakeShop()
    payment = replace(a_payment(), link=None)
    shop.payments[payment.id] = PaymentView(payment, PaymentStage.WAITING)
    screen = shop.client().get(f"/app/payments/{payment.id}", headers=tma()).text
    assert "pay-link" not in screen
    assert "being opened" in screen


def test_another_customers_payment_is_unknown() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.WAITING)
    answers = [shop.client().get(f"/app/payments/{which}", headers=tma(id=8)) for which in (id, UUID(int=99))]
    assert [(answer.status_code, problem(answer)) for answer in answers] == [(404, "unknown-payment")] * 2


@pytest.mark.parametrize("path", ["/app/home", f"/app/payments/{UUID(int=1)}"])
def test_without_valid_init_data_nothing_is_shown(path: str) -> None:
    shop = FakeShop()
    shop.stage(PaymentStage.WAITING)
    client = shop.client()
    expired = tma(at=NOW - timedelta(hours=2))
    forged = {"Authorization": f"tma {init_data()}".replace("Anna", "Eve")}
    for headers, name in (
        ({}, "outside"),
        ({"Authorization": "Bearer x"}, "outside"),
        (expired, "stale"),
        (forged, "stale"),
    ):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, problem(answer)) == (401, name)
    assert shop.registered == []
    assert client.post("/app/payments", json={"plan": "month"}).status_code == 401


def test_who_is_not_known_is_answered_in_the_browsers_language() -> None:
    client = FakeShop().client()
    for language, word in (("ru-RU,ru;q=0.9", "Откройте"), ("en-GB", "Open the shop"), ("", "Откройте")):
        assert word in client.get("/app/home", headers={"Accept-Language": language}).text


def test_the_thirty_first_request_in_a_minute_must_wait_and_other_customers_need_not() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.WAITING)
    client = shop.client()
    assert {client.get("/app/home", headers=tma()).status_code for _ in range(30)} == {200}
    for refused in (client.get("/app/home", headers=tma()), client.post("/app/payments", json={}, headers=tma())):
        assert (refused.status_code, problem(refused)) == (429, "too-many")
        assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert client.get("/app/home", headers=tma(id=8)).status_code == 200
    # The waiting screen has a limit of its own: a customer who tapped much still sees the keys come.
    assert client.get(f"/app/payments/{id}", headers=tma()).status_code == 200


def test_polling_has_its_own_limit() -> None:
    shop = FakeShop()
    id = shop.stage(PaymentStage.WAITING)
    client = shop.client()
    statuses = [client.get(f"/app/payments/{id}", headers=tma()).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]
    assert client.get("/app/home", headers=tma()).status_code == 200


def test_requests_with_forged_init_data_use_nobodys_limit() -> None:
    client = FakeShop().client()
    forged = {"Authorization": f"tma {init_data()}x"}
    assert {client.get("/app/home", headers=forged).status_code for _ in range(40)} == {401}
    assert client.get("/app/home", headers=tma()).status_code == 200


@pytest.mark.parametrize(
    ("standing", "name", "sentence"),
    [(Standing.BANNED, "banned", "closed for you"), (Standing.DELETED, "being-erased", "is being erased")],
)
def test_whoever_may_not_use_the_shop_sees_why_and_nothing_else(standing: Standing, name: str, sentence: str) -> None:
    shop = FakeShop(standing=standing, subscription=a_subscription(), trial=TRIAL)
    id = shop.stage(PaymentStage.READY, a_subscription())
    client = shop.client()
    answers = [client.get(path, headers=tma()) for path in ("/app/home", f"/app/payments/{id}", "/app/trial")]
    answers += [client.post(path, json={"plan": "month"}, headers=tma()) for path in ("/app/payments", "/app/trial")]
    for answer in answers:
        assert (answer.status_code, problem(answer)) == (403, name)
        assert sentence in answer.text
        for trace in ("vless://", LINK_TOKEN, "data-poll-path"):
            assert trace not in answer.text
    assert (len(shop.payments), shop.trial) == (1, TRIAL)


def test_who_is_erased_between_being_let_in_and_being_served_is_told_so() -> None:
    shop = FakeShop(failing={"open_payment": UnknownCustomer("7")})
    answer = shop.client().post("/app/payments", json={"plan": "month"}, headers=tma())
    assert (answer.status_code, problem(answer)) == (403, "being-erased")

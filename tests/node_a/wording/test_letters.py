"""Every letter, in both languages: valid for Telegram, and true."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from node_a.application.notices import Ended, EndsSoon, KeysReady, PaymentDeclined, PaymentReceived, Refunded
from node_a.application.ports import AppButton, Letter
from node_a.domain.customer import Language
from node_a.domain.node import NodeState
from node_a.domain.payment import PaymentState
from node_a.domain.subscription import SubscriptionState
from node_a.wording.qr import qr_picture
from node_a.wording.wording import Wording
from tests.builders import MONTH, NOW, TRIAL, YEAR, a_node, a_payment
from tests.node_a.wording.reading import assert_telegram_takes, copied, text
from tests.node_a.wording.views import LINK, a_key, a_refund, a_server, a_view, an_outline_key

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("Q<ent> & Co", "@qent_support")
NOT_SEEN = replace(a_server(), observation=None, seen_ago=None)

A_CROWD = a_view(
    keys=[a_key(n) for n in range(40)], outline=[an_outline_key(n) for n in range(40)], preparing=11, link=LINK * 2
)

LETTERS: dict[str, Callable[[Language], list[Letter]]] = {
    "payment received": lambda language: [WORDING.compose(PaymentReceived(a_payment()), language)],
    "payment declined": lambda language: [WORDING.compose(PaymentDeclined(a_payment(reason="<new>")), language)],
    "keys ready": lambda language: [WORDING.compose(KeysReady(a_view(preparing=2)), language)],
    "many keys": lambda language: [
        WORDING.compose(KeysReady(a_view(keys=[a_key(n) for n in range(40)], preparing=3)), language)
    ],
    "keys and one for Outline": lambda language: [
        WORDING.compose(KeysReady(a_view(outline=[an_outline_key()])), language)
    ],
    "many keys, many for Outline": lambda language: [
        WORDING.compose(KeysReady(A_CROWD), language),
        *WORDING.subscription(replace(A_CROWD, plan=YEAR), language),
    ],
    "ends soon": lambda language: [WORDING.compose(EndsSoon(NOW, 3), language)],
    "ended": lambda language: [WORDING.compose(Ended(NOW), language)],
    "no subscription": lambda language: WORDING.subscription(None, language),
    "subscription": lambda language: WORDING.subscription(a_view(plan=YEAR), language, qr_picture(LINK)),
    "subscription with many keys": lambda language: WORDING.subscription(
        a_view(keys=[a_key(n) for n in range(40)]), language
    ),
    "subscription in preparation": lambda language: WORDING.subscription(a_view(keys=[], preparing=4), language),
    "subscription that ended": lambda language: WORDING.subscription(a_view(state=SubscriptionState.EXPIRED), language),
    "servers": lambda language: [WORDING.servers([a_server(), NOT_SEEN], False, language)],
    "servers for operators": lambda language: [WORDING.servers([a_server(problem="<b>")], True, language)],
    "no servers": lambda language: [WORDING.servers([], True, language)],
    "welcome": lambda language: [WORDING.welcome(language)],
    "help": lambda language: [WORDING.help(language)],
    "payment support": lambda language: [WORDING.payment_support(language)],
    "unknown command": lambda language: [WORDING.unknown_command(language)],
    "slow down": lambda language: [WORDING.slow_down(language)],
    "out of order": lambda language: [WORDING.out_of_order(language)],
    "banned": lambda language: [WORDING.banned(language)],
    "being erased": lambda language: [WORDING.being_erased(language)],
    "before deleting": lambda language: [WORDING.ask_before_deleting(language)],
    "an old question": lambda language: [WORDING.question_too_old(language)],
    "nothing deleted": lambda language: [WORDING.nothing_deleted(language)],
    "last word": lambda language: [WORDING.last_word(language)],
    "welcome with a trial": lambda language: [WORDING.welcome(language, MONTH)],
    "trial begun": lambda language: [WORDING.trial_begun(YEAR, language)],
    "trial is for the new": lambda language: [WORDING.trial_is_for_the_new(language)],
    "no trial now": lambda language: [WORDING.no_trial_now(language)],
    "refunded": lambda language: [WORDING.compose(Refunded(a_refund(), a_payment(), NOW), language)],
}


def test_a_trial_of_three_days_has_its_traffic_once_and_promises_no_minute() -> None:
    begun = text(WORDING.trial_begun(TRIAL, RU))
    assert "Пробный период начался: 3 дня, 10 ГБ\n" in begun
    assert "обычно в течение минуты" in begun


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", LETTERS)
def test_telegram_takes_the_letter(name: str, language: Language) -> None:
    letters = LETTERS[name](language)
    assert letters
    for letter in letters:
        assert_telegram_takes(letter)


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_is_in_the_language_asked_for(name: str) -> None:
    english = "".join(text(letter) + "".join(b.label for b in letter.buttons) for letter in LETTERS[name](EN))
    for data in ("Германия", "Ко"):  # a label is data
        english = english.replace(data, "")
    assert not any("а" <= letter <= "я" for letter in english.lower())
    assert any("а" <= letter <= "я" for letter in "".join(map(text, LETTERS[name](RU))).lower())


def test_keys_and_link_are_one_tap_away() -> None:
    letter = WORDING.compose(KeysReady(a_view(keys=[a_key(1), a_key(2)])), RU)

    assert copied(letter) == [LINK, a_key(1).key.link, a_key(2).key.link, LINK]
    assert isinstance(letter.buttons[-1], AppButton)
    assert "Действует до 22 декабря 2026, 15:00 МСК (осталось 30 дней)." in text(letter)


def test_a_key_for_outline_stands_apart_with_a_word_on_the_app() -> None:
    letter = WORDING.compose(KeysReady(a_view(outline=[an_outline_key()])), RU)

    assert copied(letter) == [LINK, a_key().key.link, an_outline_key().link, LINK]
    said = text(letter)
    assert said.index(a_key().key.link) < said.index("Для приложения Outline") < said.index(an_outline_key().link)
    assert "Outline" not in text(WORDING.compose(KeysReady(a_view()), RU))


def test_keys_for_outline_are_not_crowded_out_and_the_rest_of_them_is_said_to_be_in_the_app() -> None:
    letter = WORDING.compose(KeysReady(A_CROWD), RU)

    links = copied(letter)
    shown = [one.link in links for one in A_CROWD.outline].count(True)
    assert 2 <= shown < 40
    assert f"Ещё {40 - shown} ключей для Outline — в разделе «Моя подписка»." in text(letter)
    assert [one.key.link in links for one in A_CROWD.keys].count(True) >= 4


def test_keys_that_do_not_fit_are_said_to_be_in_the_link() -> None:
    letter = WORDING.compose(KeysReady(a_view(keys=[a_key(n) for n in range(40)])), RU)

    shown = len(copied(letter)) - 2
    assert 4 <= shown < 40
    assert f"Ещё {40 - shown} ключ" in text(letter)


@pytest.mark.parametrize(
    ("preparing", "sentence"),
    [
        (1, "Ещё 1 ключ готовится: он появится в ссылке сам."),
        (2, "Ещё 2 ключа готовятся: они появятся в ссылке сами."),
        (5, "Ещё 5 ключей готовятся: они появятся в ссылке сами."),
    ],
)
def test_keys_on_the_way_are_counted(preparing: int, sentence: str) -> None:
    assert sentence in text(WORDING.compose(KeysReady(a_view(preparing=preparing)), RU))


def test_nothing_is_said_of_keys_on_the_way_when_there_are_none() -> None:
    assert "готов" not in text(WORDING.compose(KeysReady(a_view()), RU)).replace("Ваши ключи готовы", "")


def test_a_link_too_long_for_the_copy_button_is_still_in_the_text() -> None:
    link = LINK + "x" * 256
    letter = WORDING.compose(KeysReady(a_view(link=link)), RU)

    assert [type(button) for button in letter.buttons] == [AppButton]
    assert link in copied(letter)


def test_the_subscription_comes_as_picture_first_and_keys_last() -> None:
    picture, keys = WORDING.subscription(a_view(), RU, qr_picture(LINK))

    assert picture.picture is not None
    assert "Тариф: 1 месяц, без ограничений." in text(keys)
    assert LINK in copied(keys)


def test_without_keys_there_is_nothing_to_scan() -> None:
    [letter] = WORDING.subscription(a_view(keys=[], preparing=2), RU, qr_picture(LINK))
    assert "Ваши ключи готовятся" in text(letter)
    assert LINK not in letter.html


def test_an_ended_subscription_shows_no_keys_but_the_way_to_renew() -> None:
    [letter] = WORDING.subscription(a_view(state=SubscriptionState.EXPIRED), RU, qr_picture(LINK))
    assert [button.label for button in letter.buttons] == ["Продлить"]
    assert "vless" not in letter.html


REASONS = {
    "insufficient_funds": "не хватило денег",
    "expired_on_confirmation": "Время на оплату вышло",
    "permission_revoked": "Разрешение на автоматические платежи было отозвано",
    "canceled_by_merchant": "Мы сами отменили этот платёж",
    "card_expired": "Срок действия карты истёк",
    "general_decline": "Платёж отклонил банк или платёжный сервис",
    "a_reason_of_next_year": "Платёж отклонил банк или платёжный сервис",
    None: "Платёж отклонил банк или платёжный сервис",
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_declined_payment_is_explained_and_can_be_tried_again(reason: str | None) -> None:
    letter = WORDING.compose(PaymentDeclined(a_payment(reason=reason)), RU)

    assert REASONS[reason] in text(letter)
    assert "Деньги не списаны" in text(letter)
    assert letter.buttons == (AppButton("Попробовать ещё раз"),)


def test_a_received_payment_names_plan_amount_and_number() -> None:
    letter = WORDING.compose(PaymentReceived(a_payment()), RU)
    assert "199 ₽ · 1 месяц, без ограничений" in text(letter)
    assert copied(letter) == [str(a_payment().id)]


def test_the_description_of_a_payment_fits_the_statement() -> None:
    assert WORDING.describe(a_payment(), RU) == "Q<ent> & Co: 1 месяц, без ограничений"
    long_name = Wording("Q" * 200, "@qent_support").describe(a_payment(plan=YEAR), RU)
    assert len(long_name) == 128
    assert long_name.replace("\u00a0", " ").endswith("Q: 12 месяцев, 1 ТБ в месяц")


def test_customers_see_health_in_words_and_operators_figures() -> None:
    customer = text(WORDING.servers([a_server(problem="slow disk")], False, RU))
    operator = text(WORDING.servers([a_server(problem="slow disk")], True, RU))

    assert "работает, нагрузка небольшая" in customer
    assert not any(word in customer for word in ("12 %", "134", "slow disk"))
    assert "процессор 12 %, память 1,2 ГБ из 4 ГБ, пользователей: 134, на связи: 17, 15 с назад" in operator
    assert "Неполадка: slow disk" in operator


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cpu_percent": 60.0}, "работает, нагрузка заметная"),
        ({"cpu_percent": 99.0}, "работает, нагрузка высокая"),
        ({"cpu_percent": None}, "🟢 работает"),
        ({"vless_ready": False}, "работает только с ключами Shadowsocks"),
        ({"shadowsocks_ready": False}, "работает только с ключами VLESS"),
        ({"vless_ready": False, "shadowsocks_ready": False}, "не отвечает"),
    ],
)
def test_a_server_is_described_as_it_is(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in text(WORDING.servers([a_server(**changes)], False, RU))


def test_figures_that_could_not_be_had_are_left_out() -> None:
    seen = a_server(cpu_percent=None, memory_used=None, users=None, connected_users=None)
    operator = text(WORDING.servers([replace(seen, seen_ago=None)], True, RU))
    assert operator == "Серверы\n\nГермания de1 (de1)\n🟢 работает"


def test_a_server_not_seen_lately_is_not_called_healthy() -> None:
    not_seen = replace(NOT_SEEN, node=a_node("de2", state=NodeState.DRAINING))
    assert "давно не проверялся" in text(WORDING.servers([not_seen], True, RU))


@pytest.mark.parametrize(
    ("ends_at", "state", "sentence"),
    [
        (NOW, PaymentState.PAID, "Подписка теперь действует до 22 ноября 2026, 15:00 МСК."),
        (None, PaymentState.PAID, "Подписка на этом закончилась."),
        (None, PaymentState.DISPUTED, "Деньги отправлены туда"),
    ],
)
def test_money_back_says_how_much_and_until_when(ends_at: datetime | None, state: PaymentState, sentence: str) -> None:
    letter = text(WORDING.compose(Refunded(a_refund(), a_payment(state=state), ends_at), RU))
    assert "Возврат денег: 50,50 ₽" in letter
    assert sentence in letter
    assert ("Подписка" in letter) == sentence.startswith("Подписка")


@pytest.mark.parametrize("language", Language)
def test_telegram_takes_the_commands_and_the_menu_button(language: Language) -> None:
    commands = WORDING.commands(language)
    assert [name for name, _ in commands] == ["start", "my", "serverstats", "help", "paysupport"]
    assert all(1 <= len(what) <= 256 for _, what in commands)
    assert WORDING.menu_button == WORDING.shop_name


def test_a_declined_payment_names_plan_and_price() -> None:
    assert "1 месяц за 199 ₽." in text(WORDING.compose(PaymentDeclined(a_payment(plan=MONTH)), RU))


def test_a_qr_picture_is_a_png_that_a_phone_shows_large_enough() -> None:
    picture = qr_picture(LINK)
    assert picture.startswith(b"\x89PNG\r\n")
    assert int.from_bytes(picture[16:20]) >= 300

"""/serverstats: the truth in few words for customers, the figures for operators."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from node_a.application.audit_findings import KeeperFindings, NodeFindings
from node_a.application.statistics import ServerView
from node_a.domain.customer import Language
from node_a.domain.node import NodeState, Protocol
from node_a.wording.wording import Wording
from tests.builders import NOW, a_node
from tests.node_a.wording.reading import assert_telegram_takes, text
from tests.node_a.wording.views import a_server

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("QentVPN", "@qent_support")


def shown(view: ServerView, for_operator: bool = False, language: Language = RU) -> str:
    letter = WORDING.servers([view], for_operator, language)
    assert_telegram_takes(letter)
    return text(letter)


def in_state(state: NodeState, **changes: Any) -> ServerView:
    return replace(a_server(), node=a_node(state=state), **changes)


def audited(**changes: Any) -> ServerView:
    found = {Protocol.VLESS: KeeperFindings(compared=134, **changes), Protocol.SHADOWSOCKS: KeeperFindings(compared=6)}
    return replace(a_server(), audit=NodeFindings(at=NOW, keepers=found))


def test_a_silent_server_says_since_when_and_that_we_know() -> None:
    view = replace(a_server(vless_ready=False, shadowsocks_ready=False), since=NOW - timedelta(hours=2))
    assert shown(view) == "Серверы\n\nГермания de1\n🔴 не отвечает с 22 ноября 2026, 13:00 МСК, уже чиним"
    assert "does not answer since 22 November 2026, 13:00" in shown(view, language=EN)


def test_a_server_that_works_by_half_says_since_when() -> None:
    view = replace(a_server(vless_reachable=False), since=NOW)
    assert "🟡 работает только с ключами Shadowsocks, с 22 ноября 2026, 15:00 МСК" in shown(view)


def test_a_panel_that_is_silent_is_no_matter_of_customers_while_their_port_answers() -> None:
    view = a_server(vless_ready=False, vless_reachable=True, problem="panel: no answer")
    assert "🟢 работает" in shown(view)
    assert "panel" not in shown(view)
    assert "Неполадка: panel: no answer" in shown(view, for_operator=True)


@pytest.mark.parametrize(
    ("state", "keys", "said"),
    [
        (NodeState.DRAINING, 12, "Выводится из работы: держит 12 ключей, новых не получает."),
        (NodeState.RETIRED, 2, "Выведен из работы, осталось удалить 2 ключа: до тех пор не убирайте его из настроек."),
        (NodeState.RETIRED, 0, "Выведен из работы, ключей на нём нет: его можно убрать из настроек."),
    ],
)
def test_operators_see_what_becomes_of_a_server_that_is_to_go(state: NodeState, keys: int, said: str) -> None:
    assert said in shown(in_state(state, keys_left=keys), for_operator=True)
    assert "из работы" not in shown(in_state(state, keys_left=keys))


def test_of_an_active_server_no_state_is_said() -> None:
    assert "из работы" not in shown(in_state(NodeState.ACTIVE), for_operator=True)


def test_operators_see_reach_clock_gates_and_the_last_audit() -> None:
    view = replace(
        audited(differing=3, removed=1, foreign=2),
        observation=a_server(vless_reachable=True, shadowsocks_reachable=False, clock_off=-0.42).observation,
        waiting=frozenset({Protocol.SHADOWSOCKS}),
    )
    said = shown(view, for_operator=True)
    assert "часы -0,4 с, 15 с назад" in said
    assert "Порты клиентов: 2053 ✅, 443 ❌" in said
    assert "После отказа выжидаем: Shadowsocks" in said
    assert (
        "Сверка 22 ноября 2026, 15:00 МСК: ключей 140, исправлено 3, удалено 1, чужих 2 (не тронуты)"
        in said.splitlines()
    )
    assert "Сверка" not in shown(view)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"missing": 5}, "возвращено 5"),
        ({"unknown": 4}, "не числилось 4"),
        ({"refused_orphans": 900}, "неизвестных нашей базе 900 (не тронуты)"),
        ({"problem": "panel: no answer"}, "не всё удалось проверить"),
    ],
)
def test_an_audit_says_what_it_found(changes: dict[str, Any], said: str) -> None:
    assert said in shown(audited(**changes), for_operator=True)
    assert shown(audited(), for_operator=True).endswith("МСК: ключей 140")


def test_a_clock_that_is_far_off_is_marked_for_operators() -> None:
    assert "⚠️ Часы спешат на 25 секунд относительно наших." in shown(a_server(clock_off=25.0), for_operator=True)
    assert "⚠️" not in shown(a_server(clock_off=19.0), for_operator=True)
    assert "⚠️" not in shown(a_server(clock_off=25.0))


@pytest.mark.parametrize("language", Language)
def test_any_number_of_servers_fits_and_what_does_not_is_counted(language: Language) -> None:
    views = [replace(audited(differing=3), observation=a_server(problem="<" * 500).observation)] * 60
    letter = WORDING.servers(views, True, language)
    assert_telegram_takes(letter)
    names = text(letter).count("(de1)")
    assert 2 <= names < 60
    assert str(60 - names) in text(letter).splitlines()[-1]


def test_a_few_servers_are_all_shown() -> None:
    assert "ещё" not in text(WORDING.servers([a_server()] * 3, False, RU))

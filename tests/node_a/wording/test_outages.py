"""What operators read at night about a server: what is wrong, since when, who notices, what to do."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

import pytest

from node_a.application.outages import NodeOutage
from node_a.application.ports import Letter
from node_a.domain.customer import Language
from node_a.domain.faults import Fault
from node_a.domain.health import Outage
from node_a.domain.node import NodeObservation
from node_a.wording.wording import Wording
from tests.builders import NOW, a_node
from tests.node_a.wording.reading import assert_telegram_takes, text

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("QentVPN", "@qent_support")
WELL: Final = NodeObservation(NOW, True, True, vless_reachable=True, shadowsocks_reachable=True, clock_off=0.0)
DEAD: Final = NodeObservation(NOW, False, False, problem="panel: no <answer>; agent: no answer")
SILENT: Final = replace(WELL, vless_ready=False, shadowsocks_ready=False, problem="panel: 502")
SEEN: Final = {
    Fault.GONE: DEAD,
    Fault.SILENT: SILENT,
    Fault.VLESS: replace(WELL, vless_reachable=False),
    Fault.SHADOWSOCKS: replace(WELL, shadowsocks_ready=False, shadowsocks_reachable=None, problem="agent: 500"),
    Fault.CLOCK: replace(WELL, clock_off=-25.3),
}


def begun(fault: Fault, seen: NodeObservation | None, nobody_is_served: bool = False) -> NodeOutage:
    return NodeOutage(a_node(), Outage(fault, NOW), seen, nobody_is_served)


def over(fault: Fault, lasted: timedelta, seen: NodeObservation | None = WELL) -> NodeOutage:
    return NodeOutage(a_node(), Outage(fault, NOW, NOW + lasted), seen)


def read(told: NodeOutage, language: Language = RU) -> str:
    return text(WORDING.compose(told, language))


LETTERS: dict[str, Callable[[], NodeOutage]] = {
    **{f"{fault} begun": lambda fault=fault: begun(fault, SEEN[fault]) for fault in Fault},  # type: ignore[misc]
    **{f"{fault} over": lambda fault=fault: over(fault, timedelta(hours=3)) for fault in Fault},  # type: ignore[misc]
    **{f"{fault}, nothing seen": lambda fault=fault: begun(fault, None) for fault in Fault},  # type: ignore[misc]
    "nobody is served": lambda: begun(Fault.GONE, DEAD, nobody_is_served=True),
    "a long problem": lambda: begun(Fault.GONE, replace(DEAD, problem="<" * 9000)),
    "half back": lambda: over(Fault.GONE, timedelta(hours=3), replace(WELL, shadowsocks_reachable=False)),
}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", LETTERS)
def test_telegram_takes_the_letter(name: str, language: Language) -> None:
    assert_telegram_takes(WORDING.compose(LETTERS[name](), language))


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_is_in_the_language_asked_for(name: str) -> None:
    assert not any("а" <= letter <= "я" for letter in read(LETTERS[name](), EN).lower())
    assert any("а" <= letter <= "я" for letter in read(LETTERS[name]()).lower())


def test_a_dead_server_says_what_since_when_who_notices_and_what_to_do() -> None:
    assert read(begun(Fault.GONE, DEAD)) == (
        "🔴 Сервер Германия de1 (de1) не отвечает\n\n"
        "С 22 ноября 2026, 15:00 МСК.\n"
        "Неполадка: panel: no <answer>; agent: no answer\n\n"
        "Клиенты: ключи этого сервера не работают. Остальные ключи работают, и приложения со ссылкой-подпиской"
        " переходят на них сами.\n\n"
        "Что делать: посмотрите /serverstats, потом сам сервер; подсказки в docs/operating.md. Ничего не потеряется:"
        " всё, что сервер пропустил, он получит, когда ответит, и тогда я напишу ещё раз."
    )


def test_the_last_server_of_all_says_so_and_points_at_our_own_network() -> None:
    said = read(begun(Fault.GONE, DEAD, nobody_is_served=True))
    assert "не отвечает ни один действующий сервер" in said
    assert "сеть пропала только у этой машины" in said
    assert "Остальные ключи работают" not in said


@pytest.mark.parametrize(
    ("fault", "sentences"),
    [
        (Fault.SILENT, ["работает, но нам не отвечает", "panel: 502", "которые на нём уже есть, работают"]),
        (Fault.VLESS, ["🔴 VLESS на сервере", "порт для клиентов закрыт: 2053.", "эти ключи не работают"]),
        (Fault.SHADOWSOCKS, ["🔴 Shadowsocks на сервере", "agent: 500", "эти ключи не работают"]),
        (Fault.CLOCK, ["Часы сервера", "Часы отстают на 25 секунд относительно наших.", "на 30 секунд", "timedatectl"]),
    ],
)
def test_every_fault_has_its_own_words(fault: Fault, sentences: list[str]) -> None:
    said = read(begun(fault, SEEN[fault]))
    assert [sentence for sentence in sentences if sentence not in said] == []


def test_a_silent_panel_whose_port_answers_frightens_nobody() -> None:
    said = read(begun(Fault.VLESS, replace(WELL, vless_ready=False)))
    assert "которые на нём уже есть, работают" in said
    assert "не работают" not in said


def test_a_dead_server_whose_panel_answers_names_the_closed_ports() -> None:
    shut = replace(WELL, vless_reachable=False, shadowsocks_reachable=False)
    assert "порт для клиентов закрыт: 2053, 443." in read(begun(Fault.GONE, shut))


@pytest.mark.parametrize(
    ("off", "said"),
    [(21.0, "Часы спешат на 21 секунду"), (22.4, "Часы спешат на 22 секунды"), (-31.0, "Часы отстают на 31 секунду")],
)
def test_a_clock_is_said_to_be_fast_or_slow(off: float, said: str) -> None:
    assert said in read(begun(Fault.CLOCK, replace(WELL, clock_off=off)))


@pytest.mark.parametrize(
    ("lasted", "said"),
    [
        (timedelta(seconds=-4), "1 минуту"),
        (timedelta(seconds=150), "2 минуты"),
        (timedelta(minutes=119), "119 минут"),
        (timedelta(minutes=121), "2 часа"),
        (timedelta(hours=47), "47 часов"),
        (timedelta(hours=50), "2 дня"),
        (timedelta(days=21), "21 день"),
    ],
)
def test_a_return_says_how_long_it_lasted(lasted: timedelta, said: str) -> None:
    assert read(over(Fault.GONE, lasted)) == (
        "🟢 Сервер Германия de1 (de1) снова отвечает\n\n"
        f"Началось 22 ноября 2026, 15:00 МСК, длилось {said}.\n\n"
        "Делать ничего не нужно: всё, что он пропустил, он получает сам."
    )


def test_a_return_that_is_not_whole_says_what_is_still_missing() -> None:
    said = read(over(Fault.GONE, timedelta(hours=3), replace(WELL, shadowsocks_reachable=False)))
    assert "Пока не в порядке: Shadowsocks." in said
    assert "Делать ничего не нужно" not in said


def test_a_right_clock_promises_nothing_that_was_missed() -> None:
    assert "пропустил" not in read(over(Fault.CLOCK, timedelta(hours=3)))


def test_every_letter_names_the_server_by_name_and_code() -> None:
    for make in LETTERS.values():
        letter: Letter = WORDING.compose(make(), RU)
        assert "Германия de1 (de1)" in text(letter).splitlines()[0]

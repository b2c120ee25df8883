"""New keys, and "it does not work?": every letter valid, in its language, and short."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from node_a.application.diagnosis import Diagnosis, Finding, Remedy, Trouble, diagnose
from node_a.application.notices import NewKeys
from node_a.application.overview import TrafficView
from node_a.application.ports import ActionButton, CopyButton, Letter, LinkButton
from node_a.application.repair import Repaired
from node_a.domain.customer import Language
from node_a.domain.node import Keeper, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionState
from node_a.wording import troubles
from node_a.wording.wording import Wording
from tests.builders import DAY, NOW, a_node
from tests.node_a.application.test_diagnosis import a_case, keys, troubles_with
from tests.node_a.wording.reading import assert_telegram_takes, copied, text
from tests.node_a.wording.views import LINK, a_view, an_outline_key

RU, EN = Language.RUSSIAN, Language.ENGLISH
WORDING = Wording("Q<ent> & Co", "@qent_support")
BY_POST = Wording("QentVPN", "help@shop.example.org")
MANY = [a_node(f"de{number}") for number in range(1, 13)]


def found(*, nodes: Any = MANY, **changes: Any) -> Diagnosis:
    case = a_case(**changes)
    return Diagnosis(case, diagnose(case, NOW), nodes, LINK)


def with_finding(trouble: Trouble, remedy: Remedy) -> Diagnosis:
    keepers = [Keeper(node.code, protocol) for node in MANY for protocol in Protocol]
    return Diagnosis(a_case(traffic=a_view().traffic), [Finding(trouble, remedy, keepers)], MANY, LINK)


LETTERS: dict[str, Callable[[Language], Letter]] = {
    "question": lambda language: WORDING.ask_before_new_keys(10**9, language),
    "begun": lambda language: WORDING.new_keys_begun(a_view(keys=[]), language),
    "new keys work": lambda language: WORDING.compose(NewKeys(a_view()), language),
    "new keys work, for Outline too": lambda language: WORDING.compose(
        NewKeys(a_view(outline=[an_outline_key()])), language
    ),
    "kept": WORDING.keys_kept,
    "too old": WORDING.question_about_keys_too_old,
    "too many": WORDING.too_many_new_keys,
    "none": WORDING.no_new_keys,
    "repaired": lambda language: WORDING.diagnosis(found(), language, Repaired.SENT),
    "repaired before": lambda language: WORDING.diagnosis(found(), language, Repaired.SENT_BEFORE),
    "by post": lambda language: BY_POST.diagnosis(found(keys=keys(used_at=None)), language),
}
LETTERS |= {
    f"{trouble.value}, {remedy.value}": lambda language, trouble=trouble, remedy=remedy: WORDING.diagnosis(  # type: ignore[misc]
        with_finding(trouble, remedy), language
    )
    for trouble in Trouble
    for remedy in Remedy
}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("name", LETTERS)
def test_telegram_takes_the_letter(name: str, language: Language) -> None:
    assert_telegram_takes(LETTERS[name](language))


@pytest.mark.parametrize("name", LETTERS)
def test_the_letter_is_in_the_language_asked_for(name: str) -> None:
    russian, english = text(LETTERS[name](RU)), text(LETTERS[name](EN))
    assert re.search("[а-я]{4}", russian.lower())
    # A server's name comes from the settings.
    assert not re.search("[а-я]", english.lower())


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("trouble", Trouble)
def test_a_finding_is_a_line_and_at_most_two_sentences(trouble: Trouble, language: Language) -> None:
    for remedy in (Remedy.NEW_KEYS, Remedy.SUPPORT):
        diagnosis = with_finding(trouble, remedy)
        explained = troubles.explain(diagnosis.findings[0], diagnosis, language)
        assert explained.title
        assert "." not in explained.title
        assert 1 <= len(re.findall(r"[.!?](?:\s|$)", explained.text)) <= 2


def used_up(until: datetime) -> str:
    case = a_case(state=SubscriptionState.SUSPENDED, traffic=TrafficView(used=5, limit=5, until=until))
    diagnosis = Diagnosis(case, diagnose(case, NOW), MANY, LINK)
    return troubles.explain(diagnosis.findings[0], diagnosis, EN).text


def test_new_traffic_is_promised_only_where_some_comes_before_the_end() -> None:
    ends_at = a_case().ends_at
    assert ends_at is not None
    assert "There will be new traffic on" in used_up(ends_at - DAY)
    assert used_up(ends_at) == "Renew now, and you can go on at once."


def test_a_server_that_is_the_matter_as_a_whole_is_named_once() -> None:
    case = a_case(nodes=troubles_with(NodeCode("de1"), broken=frozenset(Protocol)))
    diagnosis = Diagnosis(case, diagnose(case, NOW), MANY, LINK)
    assert "Это Германия de1, остальное работает." in text(WORDING.diagnosis(diagnosis, RU))


def test_each_remedy_has_one_button_and_the_support_is_last() -> None:
    servers = troubles_with(NodeCode("de1"), broken=frozenset({Protocol.VLESS}), clock_off=50.0)
    case = a_case(nodes=servers)
    letter = WORDING.diagnosis(Diagnosis(case, diagnose(case, NOW), MANY, LINK), RU)

    copy, support = letter.buttons  # two findings, one remedy
    assert isinstance(copy, CopyButton)
    assert copy.text == LINK
    assert isinstance(support, LinkButton)
    assert support.url.startswith("https://t.me/qent_support?text=")


def test_a_mirror_of_telegrams_links_is_used_for_the_support_too() -> None:
    mirrored = Wording("QentVPN", "@qent_support", "https://t.example.org")
    [*_, support] = mirrored.diagnosis(found(), RU).buttons
    assert isinstance(support, LinkButton)
    assert support.url.startswith("https://t.example.org/qent_support?text=")


def test_where_no_button_can_open_a_letter_the_facts_can_be_copied() -> None:
    letter = BY_POST.diagnosis(found(), EN)
    [facts] = copied(letter)
    assert facts.startswith("It does not work. My case:\ncustomer 7000000001\nsubscription ")
    assert LINK not in facts


def test_the_question_carries_the_keys_that_it_is_about() -> None:
    yes, no = WORDING.ask_before_new_keys(41, RU).buttons
    assert isinstance(yes, ActionButton)
    assert isinstance(no, ActionButton)
    assert (yes.action, no.action) == ("rotate:yes:41", "rotate:no")


def test_whoever_did_not_ask_for_new_keys_reads_why_there_are_some() -> None:
    assert "If you did not ask for this" in text(WORDING.compose(NewKeys(a_view()), EN))
    assert "If you did not ask for this" not in text(WORDING.new_keys_begun(a_view(keys=[]), EN))


def test_the_new_link_can_be_copied_at_once() -> None:
    for letter in (WORDING.new_keys_begun(a_view(keys=[]), RU), WORDING.compose(NewKeys(a_view()), RU)):
        assert copied(letter) == [LINK, LINK]


def test_whoever_has_a_key_for_outline_hears_that_it_is_a_new_one_too() -> None:
    told = "Ключ для Outline тоже новый: возьмите его в /my."

    assert told in text(WORDING.compose(NewKeys(a_view(outline=[an_outline_key()])), RU))
    assert told not in text(WORDING.compose(NewKeys(a_view()), RU))

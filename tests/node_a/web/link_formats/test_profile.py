"""What every form is made of, and the shelf of what was rendered."""

import threading
from dataclasses import replace

import pytest

from node_a.web.link_formats import Format, Profile, profile_of, rendered
from node_a.web.link_formats.shelf import Shelf
from tests.node_a.web.link_formats.profiles import (
    ENDED,
    NODES,
    SUBSCRIPTION,
    a_key,
    a_profile,
    a_real_node,
    an_ended_profile,
    keys_of,
)

LISTS = [format for format in Format if format is not Format.PAGE]


class Renderer:
    """Counts."""

    def __init__(self) -> None:
        self.calls: list[tuple[Format, Profile]] = []

    def __call__(self, format: Format, profile: Profile) -> bytes:
        self.calls.append((format, profile))
        return rendered(format, profile)


def test_two_servers_of_one_name_and_a_word_of_the_apps_own_are_told_apart() -> None:
    one = keys_of(a_real_node(1))[0]
    keys = [replace(one, label=label) for label in ("Германия", "Германия", "Германия 2", "DIRECT", "Быстрый")]
    profile = profile_of(keys, all_keys="Выбор", automatic="Быстрый", shop_host="shop.test", notice=ENDED)
    assert profile.labels == ["Германия", "Германия 2", "Германия 2 2", "DIRECT 2", "Быстрый 2"]


def test_a_notice_is_for_when_there_are_no_keys() -> None:
    assert a_profile().notice is None
    assert an_ended_profile().notice == ENDED


def test_the_same_is_rendered_once() -> None:
    renderer = Renderer()
    shelf = Shelf(renderer)
    bodies = [shelf.body(format, profile) for _ in range(3) for format in LISTS for profile in (a_profile(),)]
    assert bodies == [rendered(format, a_profile()) for format in LISTS] * 3
    assert [format for format, _ in renderer.calls] == LISTS


@pytest.mark.parametrize(
    "changed",
    [
        a_profile(*reversed(NODES)),
        a_profile(*NODES[:2]),
        profile_of(
            keys_of(*NODES, subscription=SUBSCRIPTION.rotated()),
            all_keys="Выбор сервера",
            automatic="Самый быстрый",
            shop_host="shop.example.org",
            notice=None,
        ),
        a_profile(replace(NODES[0], host="moved.example.org"), *NODES[1:]),
        replace(a_profile(), automatic="The quickest"),
        a_profile(shop_host="moved.example.org"),
        an_ended_profile(),
        replace(an_ended_profile(), notice="Something else"),
    ],
    ids=["order", "a node gone", "new keys", "a node moved", "language", "the shop moved", "ended", "another reason"],
)
def test_whatever_differs_is_rendered_anew(changed: Profile) -> None:
    renderer = Renderer()
    shelf = Shelf(renderer)
    for profile in (a_profile(), an_ended_profile()):
        if profile != changed:
            shelf.body(Format.CLASH, profile)
    assert shelf.body(Format.CLASH, changed) == rendered(Format.CLASH, changed)
    assert changed in [profile for _, profile in renderer.calls]


def test_no_part_can_pass_for_two() -> None:
    one, two = a_key(NODES[0], next(iter(keys_of(NODES[0]))).key.protocol), keys_of(NODES[1])[0]
    shelf = Shelf()
    texts = {
        shelf.body(Format.CLASH, Profile(all_keys, automatic, "shop.test", [one, two]))
        for all_keys, automatic in (("ab", "c"), ("a", "bc"))
    }
    assert len(texts) == 2


def test_the_shelf_keeps_to_its_room_and_what_is_asked_for_stays() -> None:
    renderer = Renderer()
    profiles = [replace(a_profile(), automatic=f"№ {number}") for number in range(10)]
    size = len(rendered(Format.CLASH, profiles[0]))
    shelf = Shelf(renderer, room=3 * size)
    for profile in profiles:
        shelf.body(Format.CLASH, profiles[0])
        shelf.body(Format.CLASH, profile)
    assert shelf.size <= 3 * size
    assert len(renderer.calls) == len(profiles)  # the first one never went
    shelf.body(Format.CLASH, profiles[1])
    assert len(renderer.calls) == len(profiles) + 1


def test_many_threads_may_ask_at_once() -> None:
    shelf = Shelf(room=20_000)
    profiles = [replace(a_profile(), automatic=f"№ {number}") for number in range(10)]
    wrong: list[str] = []

    def ask() -> None:
        for profile in profiles * 20:
            if shelf.body(Format.LINKS, profile) != rendered(Format.LINKS, profile):
                wrong.append(profile.automatic)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert shelf.size <= 20_000

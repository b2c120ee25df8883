"""The very keys that the shop delivered, in each form and with the real programs: a page, datagrams, much at once."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.node_b.carrying.apps import Config, Program
from tests.node_b.carrying.conftest import StartApp
from tests.node_b.carrying.links import TAG, from_clash
from tests.node_b.carrying.people import Person
from tests.node_b.world.names import NODE, NODE_6, PAGE, PAGE_NAME, PAGE_NAME_6, WHO_ASKS
from tests.node_b.world.sites import LARGE
from tests.node_b.world.world import World
from tests.waiting import until

pytestmark = [pytest.mark.proof, pytest.mark.slow]

VLESS, SHADOWSOCKS = "VLESS", "Shadowsocks"
# A page of two addresses is visited at either.
THE_PAGE: Final = (f"the page, for {NODE}", f"the page, for {NODE_6}")


def from_the_chat(program: Program) -> Callable[[Person, str], Config]:
    return lambda person, protocol: Config.of(
        program, **{TAG: person.vless if protocol == VLESS else person.shadowsocks}
    )


def as_sing_box_gets_it(person: Person, protocol: str) -> Config:
    """Whole, with the key that the customer taps on."""
    whole = person.sing_box()
    [whole["outbounds"][0]["default"]] = [label for label in labels(whole["outbounds"], "tag") if protocol in label]
    return Config("sing-box", whole=whole)


def as_xray_gets_it(person: Person, protocol: str) -> Config:
    [whole] = [one for one in person.xray() if protocol in one["remarks"]]
    return Config("xray", whole=whole)


def as_clash_gets_it(person: Person, protocol: str) -> Config:
    [proxy] = [one for one in person.clash() if protocol in one["name"]]
    return Config("sing-box", {TAG: from_clash(proxy)})


def labels(entries: list[dict[str, Any]], field: str) -> list[str]:
    return [entry[field] for entry in entries]


FORMS: Final = {
    "link, Xray": from_the_chat("xray"),
    "link, sing-box": from_the_chat("sing-box"),
    "sing-box": as_sing_box_gets_it,
    "Xray": as_xray_gets_it,
    "Clash": as_clash_gets_it,
}


@pytest.mark.parametrize("protocol", [VLESS, SHADOWSOCKS])
@pytest.mark.parametrize("form", FORMS)
def test_a_page_comes_through_the_node(anna: Person, start_app: StartApp, form: str, protocol: str) -> None:
    app = start_app(FORMS[form](anna, protocol))

    until(lambda: app.sees(f"http://{PAGE_NAME}/") in THE_PAGE)


@pytest.mark.parametrize("form", ["link, Xray", "link, sing-box", "Clash"])
def test_datagrams_come_through_shadowsocks(anna: Person, start_app: StartApp, form: str) -> None:
    app = start_app(FORMS[form](anna, SHADOWSOCKS))

    assert app.resolves(PAGE_NAME) == [PAGE]
    assert app.resolves(WHO_ASKS) == [NODE]


@pytest.mark.parametrize("program", ["xray", "sing-box"])
def test_datagrams_come_through_vless_too(anna: Person, start_app: StartApp, program: Program) -> None:
    app = start_app(Config.of(program, vless=anna.vless))

    assert app.resolves(WHO_ASKS, "vless") == [NODE]


@pytest.mark.parametrize("program", ["xray", "sing-box"])
def test_fifty_megabytes_come_intact(world: World, anna: Person, start_app: StartApp, program: Program) -> None:
    app = start_app(Config.of(program, vless=anna.vless, shadowsocks=anna.shadowsocks))

    for key in ("vless", "shadowsocks"):
        assert app.digest_of(f"http://{PAGE_NAME}{LARGE}", key) == world.sites.digest, key


@pytest.mark.parametrize("program", ["xray", "sing-box"])
def test_the_node_reaches_the_internet_of_ipv6(anna: Person, start_app: StartApp, program: Program) -> None:
    app = start_app(Config.of(program, vless=anna.vless, shadowsocks=anna.shadowsocks))

    for key in ("vless", "shadowsocks"):
        until(lambda: app.sees(f"http://{PAGE_NAME_6}/", key) == f"the page, for {NODE_6}")  # noqa: B023


@pytest.mark.parametrize("program", ["xray", "sing-box"])
def test_outlines_key_carries_pages_and_datagrams(anna: Person, start_app: StartApp, program: Program) -> None:
    app = start_app(Config.of(program, outline=anna.outline))

    until(lambda: app.sees(f"http://{PAGE_NAME}/", "outline") in THE_PAGE)
    assert app.resolves(WHO_ASKS, "outline") == [NODE]

"""What apps are sent, with the real programs and a real node: a page is fetched through each key."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from node_a.web.link_formats import Format, Profile, rendered
from tests.node_a.web.link_formats.profiles import a_profile, an_ended_profile
from tests.node_a.web.link_formats.real_node import (
    PAGE,
    PAGE_HOST,
    RealNode,
    a_node_for_real,
)
from tests.programs import free_port, program, running
from tests.waiting import until

pytestmark = pytest.mark.slow
# What the programs resolve by themselves, without a network.
SHOP_HOST = "localhost"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealNode]:
    with a_node_for_real(tmp_path_factory.mktemp("node")) as node:
        yield node


@contextmanager
def the_app(name: str, config: dict[str, Any], directory: Path) -> Iterator[httpx.Client]:
    """A browser on the same phone. The tunnel needs root and would take this machine's own network: a proxy instead."""
    port = free_port()
    if name == "sing-box":
        config["inbounds"] = [{"type": "mixed", "listen": "127.0.0.1", "listen_port": port}]
    else:
        config["inbounds"] = [{"protocol": "http", "listen": "127.0.0.1", "port": port}]
    file = directory / f"{name}.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    command: list[str | Path] = [program(name), "run", "-c", file]
    with (
        running(command, port, directory / f"{name}.log"),
        httpx.Client(proxy=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client,
    ):
        yield client


def sees_page(browser: httpx.Client, host: str, port: int) -> bool:
    """To be asked again: sing-box notes the salt of a Shadowsocks request only after it was sent, and a node as near as
    this one may have answered by then ("bad request salt"); one behind a real network cannot."""
    try:
        return browser.get(f"http://{host}:{port}/").content == PAGE
    except httpx.HTTPError:
        return False


def sing_box_config(profile: Profile, chosen: str | None = None) -> dict[str, Any]:
    """`chosen`: what the customer taps on."""
    config: dict[str, Any] = json.loads(rendered(Format.SING_BOX, profile))
    if chosen is not None:
        config["outbounds"][0]["default"] = chosen
    return config


@pytest.mark.parametrize("chosen", [None, 0, 1], ids=["automatic", "VLESS", "Shadowsocks"])
def test_sing_box_reaches_a_page_through_each_key(real: RealNode, chosen: int | None, tmp_path: Path) -> None:
    profile = a_profile(real.node, shop_host=SHOP_HOST)
    config = sing_box_config(profile, None if chosen is None else profile.labels[chosen])
    with the_app("sing-box", config, tmp_path) as browser:
        until(lambda: sees_page(browser, PAGE_HOST, real.page_port))
        until(lambda: sees_page(browser, SHOP_HOST, real.page_port))


@pytest.mark.parametrize("number", [0, 1, 2], ids=["automatic", "VLESS", "Shadowsocks"])
def test_xray_reaches_a_page_through_each_key(real: RealNode, number: int, tmp_path: Path) -> None:
    config = json.loads(rendered(Format.XRAY, a_profile(real.node, shop_host=SHOP_HOST)))[number]
    with the_app("xray", config, tmp_path) as browser:
        until(lambda: sees_page(browser, PAGE_HOST, real.page_port))
        until(lambda: sees_page(browser, SHOP_HOST, real.page_port))


@pytest.mark.parametrize("name", ["sing-box", "xray"])
def test_without_keys_only_the_shop_is_reached(real: RealNode, name: str, tmp_path: Path) -> None:
    profile = an_ended_profile(SHOP_HOST)
    config = sing_box_config(profile) if name == "sing-box" else json.loads(rendered(Format.XRAY, profile))[0]
    with the_app(name, config, tmp_path) as browser:
        until(lambda: sees_page(browser, SHOP_HOST, real.page_port))
        # By its address: what would be reached without an app.
        with pytest.raises(httpx.HTTPError):
            browser.get(f"http://127.0.0.1:{real.page_port}/").raise_for_status()

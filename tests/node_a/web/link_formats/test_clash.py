"""Clash: mihomo itself cannot be had here, so that each field is held against what its documentation says."""

import re
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import yaml
from hypothesis import given

from node_a.domain.customer import Language
from node_a.web.link_formats import Format, Profile, rendered
from tests.node_a.web.link_formats.profiles import (
    ENDED,
    NODES,
    SHOP_HOST,
    a_profile,
    a_real_node,
    an_ended_profile,
    keys_of,
)

Check = Callable[[Any], bool]


def config_of(profile: Profile) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load(rendered(Format.CLASH, profile))
    return config


def text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def port(value: Any) -> bool:
    return type(value) is int and 0 < value < 65536


def one_of(*values: Any) -> Check:
    return lambda value: value in values


def shaped(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def yes_or_no(value: Any) -> bool:
    return isinstance(value, bool)


# wiki.metacubex.one/config/proxies ("common fields", "vless", "tls") and, for `sni`, stash.wiki/proxy-protocols.
VLESS: dict[str, Check] = {
    "name": text,  # "the name of the proxy, which may not repeat"
    "type": one_of("vless"),
    "server": text,  # "domain name or IP", without brackets
    "port": port,
    "uuid": shaped("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),  # "required, the user id"
    "flow": one_of("xtls-rprx-vision"),  # the only value that there is
    "network": one_of("tcp"),  # ws, http, h2, grpc or tcp
    "udp": yes_or_no,  # "whether UDP is let through, false by default"
    "tls": one_of(True),
    "servername": text,  # in vless and vmess, instead of sni
    "sni": text,  # Stash's
    "client-fingerprint": one_of("chrome", "firefox", "safari", "ios", "android", "edge", "360", "qq", "random"),
    "reality-opts": lambda value: (
        shaped("[A-Za-z0-9_-]{43}")(value["public-key"])
        and shaped("([0-9a-f]{2}){1,8}")(value["short-id"])
        and set(value) == {"public-key", "short-id"}
    ),
}
# wiki.metacubex.one/config/proxies/ss
SHADOWSOCKS: dict[str, Check] = {
    "name": text,
    "type": one_of("ss"),
    "server": text,
    "port": port,
    "cipher": one_of("2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305"),
    "password": shaped("[A-Za-z0-9+/]{22}==:[A-Za-z0-9+/]{22}=="),
    "udp": yes_or_no,
}
# wiki.metacubex.one/config/proxy-groups and …/url-test
URL_TEST: dict[str, Check] = {
    "name": text,
    "type": one_of("url-test"),
    "proxies": lambda value: len(value) > 0 and all(map(text, value)),
    "url": shaped("https://.+"),
    "interval": lambda value: type(value) is int and value > 0,  # seconds
    "tolerance": lambda value: type(value) is int,  # milliseconds
}
SELECT: dict[str, Check] = {name: URL_TEST[name] for name in ("name", "proxies")} | {"type": one_of("select")}
# wiki.metacubex.one/config/general and …/config/dns
GENERAL: dict[str, Check] = {
    "mixed-port": port,
    "allow-lan": yes_or_no,
    "mode": one_of("rule", "global", "direct"),
    "log-level": one_of("silent", "error", "warning", "info", "debug"),
    "ipv6": yes_or_no,
    "dns": lambda value: value.keys() == DNS.keys() and all(check(value[name]) for name, check in DNS.items()),
    "proxies": lambda value: isinstance(value, list),
    "proxy-groups": lambda value: isinstance(value, list),
    "rules": lambda value: isinstance(value, list),
}
DNS: dict[str, Check] = {
    "enable": yes_or_no,
    "ipv6": yes_or_no,
    "enhanced-mode": one_of("fake-ip", "redir-host"),
    "nameserver": lambda value: all(map(shaped(r"https://[0-9.]+/dns-query"), value)),
    "respect-rules": yes_or_no,  # "needs proxy-server-nameserver"
    "proxy-server-nameserver": one_of(["system"]),
    "direct-nameserver": one_of(["system"]),
}
PROXIES = {"vless": VLESS, "ss": SHADOWSOCKS}
GROUPS = {"url-test": URL_TEST, "select": SELECT}


def wrong_fields(value: dict[str, Any], documented: dict[str, Check]) -> list[str]:
    unknown = value.keys() ^ documented.keys()
    return [*sorted(unknown), *(name for name, check in documented.items() if name in value and not check(value[name]))]


@pytest.mark.parametrize("profile", [a_profile(), a_profile(a_real_node(1)), an_ended_profile()])
def test_every_field_is_one_that_the_documentation_knows_with_a_value_that_it_allows(profile: Profile) -> None:
    config = config_of(profile)
    assert wrong_fields(config, GENERAL) == []
    for proxy in config["proxies"]:
        assert wrong_fields(proxy, PROXIES[proxy["type"]]) == []
    for group in config["proxy-groups"]:
        assert wrong_fields(group, GROUPS[group["type"]]) == []


@pytest.mark.parametrize("profile", [a_profile(), a_profile(a_real_node(1)), an_ended_profile()])
def test_names_are_unique_and_whatever_is_named_is_there(profile: Profile) -> None:
    config = config_of(profile)
    names = [one["name"] for one in config["proxies"] + config["proxy-groups"]]
    assert len(names) == len(set(names))
    known = {*names, "DIRECT", "REJECT"}
    assert all(set(group["proxies"]) <= known for group in config["proxy-groups"])
    # TYPE,what,where[,no-resolve]; MATCH,where
    parts = [rule.split(",") for rule in config["rules"]]
    assert all((part[1] if part[0] == "MATCH" else part[2]) in known for part in parts)
    assert [part[0] for part in parts].index("MATCH") == len(parts) - 1


def test_keys_are_told_from_the_nodes_own_settings() -> None:
    proxies = {proxy["name"]: proxy for proxy in config_of(a_profile())["proxies"]}
    vless, _, _, _, _, shadowsocks = keys_of(*NODES)
    assert list(proxies) == a_profile().labels
    told = proxies["🇩🇪 Германия 1 · VLESS"]
    assert (told["server"], told["port"], told["uuid"]) == ("de1.example.org", 2053, vless.credential)
    assert told["servername"] == told["sni"] == "borrowed.example.org"
    # Without quotes YAML would make a number of it.
    assert told["reality-opts"] == {"public-key": NODES[0].reality.public_key, "short-id": "1231"}
    told = proxies["🇩🇪 Германия 3 · Shadowsocks"]
    assert (told["server"], told["port"]) == ("2001:db8::3", 443)
    assert told["password"] == f"{NODES[2].shadowsocks.server_key}:{shadowsocks.credential}"


def test_everything_goes_through_a_choice_that_begins_with_the_automatic_one() -> None:
    config = config_of(a_profile())
    by_hand, automatic = config["proxy-groups"]
    assert automatic["type"] == "url-test"
    assert automatic["proxies"] == a_profile().labels
    assert by_hand["proxies"] == [automatic["name"], *a_profile().labels]
    assert config["rules"][0] == f"DOMAIN,{SHOP_HOST},DIRECT"
    assert config["rules"][-1] == f"MATCH,{by_hand['name']}"


def test_an_ended_subscription_lets_only_the_shop_through_and_says_why() -> None:
    config = config_of(an_ended_profile())
    assert config["proxies"] == []
    assert config["proxy-groups"] == [{"name": ENDED, "type": "select", "proxies": ["REJECT"]}]
    assert config["rules"][0] == f"DOMAIN,{SHOP_HOST},DIRECT"
    # Not by the sentence's name: its comma would end the rule.
    assert config["rules"][-1] == "MATCH,REJECT"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_a_server_is_called_is_read_back_as_it_is(name: str) -> None:
    profile = a_profile(a_real_node(1, names={Language.RUSSIAN: name}))
    assert [proxy["name"] for proxy in config_of(profile)["proxies"]] == profile.labels

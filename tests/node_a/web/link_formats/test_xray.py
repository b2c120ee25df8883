"""Xray: what v2rayNG and its kin are told, and what the real program says to it."""

import json
from pathlib import Path
from typing import Any

import pytest

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
from tests.programs import program, run


def configs_of(profile: Profile) -> list[dict[str, Any]]:
    configs: list[dict[str, Any]] = json.loads(rendered(Format.XRAY, profile))
    return configs


def outbound(config: dict[str, Any], tag: str) -> dict[str, Any]:
    return next(one for one in config["outbounds"] if one["tag"] == tag)


def where_the_rest_goes(config: dict[str, Any]) -> dict[str, Any]:
    last: dict[str, Any] = config["routing"]["rules"][-1]
    assert last["network"] == "tcp,udp"
    return last


def test_the_first_chooses_by_itself_and_each_of_the_others_is_one_key() -> None:
    automatic, *single = configs_of(a_profile())
    assert [config["remarks"] for config in single] == a_profile().labels
    assert all(where_the_rest_goes(config)["outboundTag"] == "proxy-1" for config in single)
    assert automatic["remarks"] == "Самый быстрый"
    assert where_the_rest_goes(automatic)["balancerTag"] == "automatic"
    keys = [one["tag"] for one in automatic["outbounds"] if one["protocol"] in {"vless", "shadowsocks"}]
    assert keys == [f"proxy-{number}" for number in range(1, 7)]
    [balancer] = automatic["routing"]["balancers"]
    assert (balancer["tag"], balancer["strategy"], balancer["selector"], balancer["fallbackTag"]) == (
        "automatic",
        {"type": "leastPing"},
        ["proxy"],
        "proxy-1",
    )
    assert automatic["observatory"]["subjectSelector"] == ["proxy"]


def test_keys_are_told_from_the_nodes_own_settings() -> None:
    vless, shadowsocks = keys_of(NODES[0])
    _, first, second, *_ = configs_of(a_profile())
    assert outbound(first, "proxy-1") == {
        "tag": "proxy-1",
        "protocol": "vless",
        "settings": {
            "vnext": [
                {
                    "address": "de1.example.org",
                    "port": 2053,
                    "users": [{"id": vless.credential, "encryption": "none", "flow": "xtls-rprx-vision"}],
                }
            ]
        },
        "streamSettings": {
            "network": "tcp",
            "security": "reality",
            "realitySettings": {
                "serverName": "borrowed.example.org",
                "fingerprint": "chrome",
                "publicKey": NODES[0].reality.public_key,
                "shortId": "1231",
            },
        },
    }
    server_key = NODES[0].shadowsocks.server_key
    assert outbound(second, "proxy-1")["settings"]["servers"] == [
        {
            "address": "de1.example.org",
            "port": 443,
            "method": "2022-blake3-aes-128-gcm",
            "password": f"{server_key}:{shadowsocks.credential}",
        }
    ]


def test_one_key_needs_no_choice() -> None:
    profile = a_profile(a_real_node(1))
    assert len(configs_of(profile)) == 3
    alone = configs_of(Profile("Выбор", "Быстрый", SHOP_HOST, profile.keys[:1]))
    assert [config["remarks"] for config in alone] == profile.labels[:1]


def test_an_ended_subscription_is_one_config_that_lets_only_the_shop_through() -> None:
    [config] = configs_of(an_ended_profile())
    assert config["remarks"] == ENDED
    tag = where_the_rest_goes(config)["outboundTag"]
    assert outbound(config, tag)["protocol"] == "blackhole"
    assert [rule["domain"] for rule in config["routing"]["rules"][:-1]] == [[f"full:{SHOP_HOST}"]]
    assert outbound(config, config["routing"]["rules"][0]["outboundTag"])["protocol"] == "freedom"


@pytest.mark.parametrize("profile", [a_profile(), a_profile(a_real_node(1)), an_ended_profile()])
def test_the_real_program_takes_each_config_alone(profile: Profile, tmp_path: Path) -> None:
    xray = program("xray")
    for config in configs_of(profile):
        file = tmp_path / "config.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        tested = run(xray, "run", "-test", "-c", file)
        assert tested.returncode == 0, tested.stdout
        assert "Configuration OK." in tested.stdout


def test_the_real_program_would_have_refused_a_mistake(tmp_path: Path) -> None:
    xray = program("xray")
    config = configs_of(a_profile())[0]
    config["outbounds"][0]["streamSettings"]["realitySettings"]["publicKey"] = "too short"
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    assert run(xray, "run", "-test", "-c", file).returncode != 0

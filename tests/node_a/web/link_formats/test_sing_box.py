"""sing-box: what the app is told, and what the real program says to it."""

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


def config_of(profile: Profile) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(rendered(Format.SING_BOX, profile))
    return config


def outbounds_of(profile: Profile) -> dict[str, dict[str, Any]]:
    return {outbound["tag"]: outbound for outbound in config_of(profile)["outbounds"]}


def test_a_vless_key_is_told_from_the_nodes_own_settings() -> None:
    vless = keys_of(NODES[0])[0]
    assert outbounds_of(a_profile())["🇩🇪 Германия 1 · VLESS"] == {
        "type": "vless",
        "tag": "🇩🇪 Германия 1 · VLESS",
        "server": "de1.example.org",
        "server_port": 2053,
        "uuid": vless.credential,
        "flow": "xtls-rprx-vision",
        "tls": {
            "enabled": True,
            "server_name": "borrowed.example.org",
            "utls": {"enabled": True, "fingerprint": "chrome"},
            "reality": {"enabled": True, "public_key": NODES[0].reality.public_key, "short_id": "1231"},
        },
    }


def test_a_shadowsocks_key_has_both_halves_of_its_password_and_a_bare_address() -> None:
    shadowsocks = keys_of(NODES[2])[1]
    assert outbounds_of(a_profile())["🇩🇪 Германия 3 · Shadowsocks"] == {
        "type": "shadowsocks",
        "tag": "🇩🇪 Германия 3 · Shadowsocks",
        "server": "2001:db8::3",
        "server_port": 443,
        "method": "2022-blake3-aes-128-gcm",
        "password": f"{NODES[2].shadowsocks.server_key}:{shadowsocks.credential}",
    }


def test_everything_goes_through_a_choice_that_begins_with_the_automatic_one() -> None:
    config, outbounds = config_of(a_profile()), outbounds_of(a_profile())
    keys = [tag for tag, outbound in outbounds.items() if outbound["type"] in {"vless", "shadowsocks"}]
    assert len(keys) == 6
    assert config["route"]["final"] == "Выбор сервера"
    assert outbounds["Выбор сервера"]["outbounds"] == ["Самый быстрый", *keys]
    assert outbounds["Выбор сервера"]["default"] == "Самый быстрый"
    assert outbounds["Самый быстрый"]["type"] == "urltest"
    assert outbounds["Самый быстрый"]["outbounds"] == keys


def test_the_shop_is_reached_directly_whether_keys_work_or_not() -> None:
    for profile in (a_profile(), an_ended_profile()):
        rules = config_of(profile)["route"]["rules"]
        assert {"domain": [SHOP_HOST], "outbound": "direct"} in rules


def test_an_ended_subscription_lets_nothing_through_and_says_why() -> None:
    config = config_of(an_ended_profile())
    assert config["route"]["rules"][-1] == {"action": "reject"}
    assert ENDED in outbounds_of(an_ended_profile())
    assert not [one for one in config["outbounds"] if one["type"] in {"vless", "shadowsocks", "urltest"}]


PROFILES = {
    "three nodes": a_profile(),
    "one node": a_profile(a_real_node(1)),
    "two nodes of one name": a_profile(a_real_node(1), a_real_node(2, names=a_real_node(1).names)),
    "ended": an_ended_profile(),
}


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_the_real_program_takes_it_without_a_word(profile: Profile, tmp_path: Path) -> None:
    sing_box = program("sing-box")
    file = tmp_path / "config.json"
    file.write_bytes(rendered(Format.SING_BOX, profile))
    checked = run(sing_box, "check", "-c", file)
    # Not a word: it warns of what the next version will no longer know.
    assert (checked.returncode, checked.stdout) == (0, "")


def test_the_real_program_would_have_refused_a_mistake(tmp_path: Path) -> None:
    sing_box = program("sing-box")
    config = config_of(a_profile())
    config["outbounds"][2]["tls"]["reality"]["public_key"] = "too short"
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    assert run(sing_box, "check", "-c", file).returncode != 0

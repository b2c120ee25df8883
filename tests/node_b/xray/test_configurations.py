"""Xray's two configurations: taken by the real program, without a word that it does not know, and with all that must
be there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from node_b.configurations import UNREACHABLE
from shared.agent_contract import NAME_PATTERN
from shared.environment import read_dotenv
from shared.inbounds import (
    OUTLINE_TAG,
    SHADOWSOCKS_METHOD,
    SHADOWSOCKS_PORT,
    SHADOWSOCKS_TAG,
    VLESS_PORT,
    VLESS_TAG,
)
from tests.node_b.states import rendered
from tests.programs import program, run

BOTH = pytest.mark.parametrize("name", ["vless_reality.json", "shadowsocks_2022.json"])
EVERY_STATE = pytest.mark.parametrize(
    "changes",
    [
        {},
        {"OUTLINE_PORT": "8388", "BLOCK_TORRENTS": "false"},
        {"NODE_HOST": "2001:db8::10", "REALITY_TARGET": "127.0.0.1:8444"},
    ],
    ids=["as usual", "with Outline and torrents", "by addresses"],
)


def configuration(directory: Path, name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((directory / name).read_text(encoding="utf-8"))
    return read


@BOTH
@EVERY_STATE
def test_xray_takes_it(tmp_path: Path, name: str, changes: dict[str, str]) -> None:
    said = run(program("xray"), "run", "-test", "-c", rendered(tmp_path, **changes) / name)

    assert (said.returncode, "Configuration OK." in said.stdout) == (0, True), said.stdout


@BOTH
@EVERY_STATE
def test_xray_knows_every_word_of_it(tmp_path: Path, name: str, changes: dict[str, str]) -> None:
    """`-test` overlooks a misspelt field; what Xray understood, it can say. Of an inbound's settings and a rule it only
    repeats the text: those are tried with traffic."""
    file = rendered(tmp_path, **changes) / name

    said = run(program("xray"), "run", "-dump", "-c", file).stdout

    understood = json.loads(said[said.index("{\n") :])
    assert differences(json.loads(file.read_text()), understood) == []


def differences(ours: Any, theirs: Any, place: str = "") -> list[str]:
    """Where `theirs` lacks what is in `ours`; an empty object says nothing that could be lost."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [place]
        return [
            each
            for key, value in ours.items()
            for each in (differences(value, theirs.get(key), f"{place}.{key}") if value != {} else [])
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [each for pair in zip(ours, theirs, strict=True) for each in differences(*pair, place)]
    return [] if ours == theirs else [place]


def test_a_word_that_xray_does_not_know_is_found(tmp_path: Path) -> None:
    file = tmp_path / "misspelt.json"
    read = configuration(rendered(tmp_path / "state"), "vless_reality.json")
    read["inbounds"][0]["sniffing"]["routOnly"] = True
    read["outbounds"][0]["streamSettings"]["sockopts"] = {"mark": 1}
    file.write_text(json.dumps(read))

    said = run(program("xray"), "run", "-dump", "-c", file).stdout

    assert differences(read, json.loads(said[said.index("{\n") :])) == [
        ".inbounds.sniffing.routOnly",
        ".outbounds.streamSettings.sockopts",
    ]


def test_vless_has_what_the_panel_needs(tmp_path: Path) -> None:
    read = configuration(rendered(tmp_path, REALITY_TARGET="borrowed.test:8443"), "vless_reality.json")
    keys = read_dotenv(tmp_path / "keys.env")

    [inbound] = read["inbounds"]
    assert (inbound["tag"], inbound["port"]) == (VLESS_TAG, VLESS_PORT)
    # Marzban fills in the clients. Without the public key and a short id it does not start.
    assert inbound["settings"] == {"clients": [], "decryption": "none"}
    reality = inbound["streamSettings"]["realitySettings"]
    assert reality["publicKey"] == keys["REALITY_PUBLIC_KEY"]
    assert reality["shortIds"] == [keys["REALITY_SHORT_ID"]]
    assert reality["serverNames"] == ["www.borrowed.test"]
    assert reality["target"] == "borrowed.test:8443"
    assert reality["privateKey"] == keys["REALITY_PRIVATE_KEY"]
    # Marzban puts its own API, statistics and policy in; a second one of a kind would be refused.
    assert not {"api", "stats", "policy"} & read.keys()
    assert all(part["tag"] and "," not in part["tag"] for part in (*read["inbounds"], *read["outbounds"]))


def test_outlines_inbound_is_there_only_on_a_port_of_its_own(tmp_path: Path) -> None:
    assert len(configuration(rendered(tmp_path), "vless_reality.json")["inbounds"]) == 1

    _, outline = configuration(rendered(tmp_path, OUTLINE_PORT="8388"), "vless_reality.json")["inbounds"]

    assert (outline["tag"], outline["port"], outline["protocol"]) == (OUTLINE_TAG, 8388, "shadowsocks")
    # Users bring their method along; an inbound with a password would have one user more.
    assert outline["settings"] == {"network": "tcp,udp", "clients": []}


def test_shadowsocks_is_never_an_open_server(tmp_path: Path) -> None:
    read = configuration(rendered(tmp_path), "shadowsocks_2022.json")
    keys = read_dotenv(tmp_path / "keys.env")

    [inbound] = read["inbounds"]
    assert (inbound["tag"], inbound["port"]) == (SHADOWSOCKS_TAG, SHADOWSOCKS_PORT)
    [placeholder] = inbound["settings"]["clients"]
    assert placeholder["password"] == keys["SHADOWSOCKS_PLACEHOLDER_KEY"]
    assert not re.fullmatch(NAME_PATTERN, placeholder["email"]), "a customer could have this name"
    assert inbound["settings"]["method"] == SHADOWSOCKS_METHOD
    assert inbound["settings"]["password"] == keys["SHADOWSOCKS_SERVER_KEY"] != placeholder["password"]
    assert inbound["settings"]["network"] == "tcp,udp"


def test_the_agent_can_drive_and_count(tmp_path: Path) -> None:
    read = configuration(rendered(tmp_path), "shadowsocks_2022.json")

    assert read["api"]["listen"].startswith("127.0.0.1:")
    assert {*read["api"]["services"]} == {"HandlerService", "StatsService"}
    assert read["stats"] == {}
    assert all(read["policy"]["levels"]["0"][f"statsUser{what}"] for what in ("Uplink", "Downlink", "Online"))


@BOTH
def test_nobodys_destination_is_logged(tmp_path: Path, name: str) -> None:
    assert configuration(rendered(tmp_path), name)["log"] == {"access": "none", "loglevel": "warning"}


@EVERY_STATE
def test_both_carry_customers_to_the_same_places(tmp_path: Path, changes: dict[str, str]) -> None:
    directory = rendered(tmp_path, **changes)
    vless, shadowsocks = (configuration(directory, f"{name}.json") for name in ("vless_reality", "shadowsocks_2022"))

    assert [vless[part] for part in ("outbounds", "routing")] == [
        shadowsocks[part] for part in ("outbounds", "routing")
    ]
    assert {json.dumps(inbound["sniffing"]) for inbound in (*vless["inbounds"], *shadowsocks["inbounds"])} == {
        '{"enabled": true, "destOverride": [], "routeOnly": true}'
    }
    refused = vless["routing"]["rules"][0]
    assert {*map(str, UNREACHABLE)} <= {*refused["ip"]}
    assert refused["outboundTag"] == "BLOCK"
    assert ("2001:db8::10" in refused["ip"]) == ("NODE_HOST" in changes)

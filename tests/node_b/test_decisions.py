"""What the operator decided: read and checked, each problem by name with its remedy."""

import ipaddress
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node_b.decisions import read_decisions
from shared.environment import ConfigurationProblems
from tests.node_b.states import DECISIONS, decided


def problems(state: Path, **changes: str) -> list[str]:
    with pytest.raises(ConfigurationProblems) as caught:
        read_decisions(decided(state, **changes))
    return caught.value.problems


def test_what_is_needed_is_enough(tmp_path: Path) -> None:
    decisions = read_decisions(decided(tmp_path, OUTLINE_PORT=""))

    assert decisions.name_ru == "🇩🇪 Германия 1"
    assert [str(network) for network in decisions.node_a] == ["198.51.100.20/32", "2001:db8::20/128"]
    assert decisions.reality_target == "www.borrowed.test:443"
    assert decisions.outline_port is None
    assert decisions.block_torrents


def test_everything_can_be_decided(tmp_path: Path) -> None:
    decisions = read_decisions(
        decided(
            tmp_path,
            NODE_CODE="fi12",
            NODE_HOST="2001:DB8:0:0::7",
            NODE_A_ADDRESSES="198.51.100.0/25, 198.51.100.128/25,198.51.100.7",
            REALITY_SERVER_NAME="WWW.Borrowed.test",
            REALITY_TARGET="[2001:db8::1]:8443",
            SSH_PORTS="2222,22,22",
            OUTLINE_PORT="8388",
            BLOCK_TORRENTS="False",
        )
    )

    assert decisions.code == "FI12"
    assert decisions.host == "2001:db8::7"
    # Overlapping elements of a set are an error for nftables.
    assert decisions.node_a == (ipaddress.ip_network("198.51.100.0/24"),)
    assert decisions.reality_server_name == "www.borrowed.test"
    assert decisions.reality_target == "[2001:db8::1]:8443"
    assert decisions.ssh_ports == (22, 2222)
    assert decisions.outline_port == 8388
    assert not decisions.block_torrents


@pytest.mark.parametrize("name", DECISIONS)
def test_what_is_missing_is_named_with_a_remedy(tmp_path: Path, name: str) -> None:
    [said] = problems(tmp_path, **{name: ""})

    assert said.startswith(f"{name} is not set in node.env: ")


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "NODE_CODE": "D 1DE DE-1 ДЕ1 D2345678901234567",
        "NODE_NAME_RU": "it's a\\b",
        "NODE_HOST": "https://de1.test de1.test:443 de_1.test -de1.test de1..test 0.0.0.0 :: 224.0.0.1 1.2.3 "
        "fe80::1%eth0",
        "NODE_A_ADDRESSES": "node-a.test 198.51.100.300 198.51.100.1/24 0.0.0.0/0 ::/0 10.0.0.0/8 2001:d00::/24 a,,b "
        "224.0.0.1 198.51.100.1, fe80::1%eth0",
        "REALITY_SERVER_NAME": "198.51.100.1 https://www.test www.test:443 www.test/",
        "REALITY_TARGET": "www.test www.test:0 www.test:65536 www.test:http :443 2001:db8::1:443 "
        "[www.test]:443 a:b:443",
        "SSH_PORTS": "0 65536 22,, ssh 022 443 2053 8443 8000 8081",
        "OUTLINE_PORT": "0 65536 x 443 2053 8443 8000 8081 22",
        "BLOCK_TORRENTS": "yes 1 on",
    }.items(),
)
def test_what_cannot_be_used_is_named_with_a_remedy(tmp_path: Path, name: str, values: str) -> None:
    for value in values.split(" ") if "NAME_RU" not in name else ['"it\'s"', '"a\\\\b"', '"a\\nb"']:
        found = problems(tmp_path, **{name: value})

        assert [said.split(" ")[0] for said in found] == [name], (value, found)
        assert ": " in found[0]


def test_all_problems_are_told_at_once_and_misspelt_names_too(tmp_path: Path) -> None:
    found = problems(tmp_path, NODE_CODE="!", SSH_PORTS="", OUTLINEPORT="8388")

    assert [said.split(" ")[0] for said in found] == ["NODE_CODE", "SSH_PORTS", "OUTLINEPORT"]


def test_a_placeholder_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, NODE_HOST="de1.example.org") == [
        "NODE_HOST in node.env still holds a placeholder: this node's public name or address, which stands in keys"
    ]


def test_without_a_file_the_script_that_writes_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationProblems, match=r"deploy_node_b\.sh writes it"):
        read_decisions(tmp_path)


@pytest.mark.parametrize(("addresses", "code"), [("198.51.100.7", 0), ("198.51.100.7/24", 2)])
def test_what_comes_in_is_judged_and_nothing_else_is_done(tmp_path: Path, addresses: str, code: int) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "node_b.decisions"],
        input=(decided(tmp_path, NODE_A_ADDRESSES=addresses) / "node.env").read_bytes(),
        capture_output=True,
        check=False,
    )

    assert said.returncode == code
    assert said.stdout.startswith(b"NODE_A_ADDRESSES in node.env is not usable") == (code == 2)


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_any_text_is_an_address_or_a_problem_and_never_a_crash(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    state = tmp_path_factory.mktemp("state")
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    decided(state, NODE_HOST=f'"{quoted}"', REALITY_TARGET=f'"{quoted}"', NODE_A_ADDRESSES=f'"{quoted}"')

    with suppress(ConfigurationProblems):
        assert read_decisions(state).host

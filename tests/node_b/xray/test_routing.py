"""Where Xray's own rules let a customer go, and where not: tried with the real program behind a real client."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from shared.environment import read_dotenv
from shared.inbounds import SHADOWSOCKS_METHOD, SHADOWSOCKS_PORT
from tests.node_b.carrying.apps import App, Config, running_app
from tests.node_b.states import rendered
from tests.node_b.world.network import Network, networks
from tests.node_b.xray.pages import pages
from tests.programs import is_open, program
from tests.waiting import until

pytestmark = pytest.mark.proof

NODE: Final = "198.51.100.10"
PAGE: Final = "198.51.100.80"
NEIGHBOUR: Final = "10.66.0.80"
PORT: Final = 8000
# Xray looks names up as the node does; a name may have several addresses.
NAMES: Final = f"""
{PAGE} page.test
127.0.0.1 loopback.test
{NEIGHBOUR} neighbour.test
{PAGE} either.test
{NEIGHBOUR} either.test
"""
TORRENT: Final = b"\x13BitTorrent protocol" + bytes(48)
TALK: Final = b"hello"


@dataclass(frozen=True)
class Stage:
    node: Network
    app: App
    log: Path

    def answer(self, host: str, words: bytes = TALK) -> str:
        """Who answered; empty if nobody did."""
        return self.app.says(host, PORT, words, "key").decode()


@contextmanager
def a_stage(directory: Path, **changes: str) -> Iterator[Stage]:
    with ExitStack() as stack:
        internet, node = stack.enter_context(networks(2))
        internet.has(f"{PAGE}/24", f"{NEIGHBOUR}/24")
        node.has(f"{NODE}/24", "10.66.0.10/24")
        for network, addresses in ((internet, [PAGE, NEIGHBOUR]), (node, ["127.0.0.1", NODE])):
            stack.enter_context(pages(network, addresses, PORT))
        configuration = rendered(directory / "state", **changes) / "shadowsocks_2022.json"
        hosts = directory / "hosts"
        hosts.write_text(NAMES, encoding="utf-8")
        node.mounts[Path("/etc/hosts")] = hosts
        log = directory / "xray.log"
        process = node.start([program("xray"), "run", "-c", configuration], log)
        stack.callback(process.wait)
        stack.callback(process.kill)
        with node.entered():
            until(lambda: process.poll() is not None or is_open(SHADOWSOCKS_PORT))
        config = Config("sing-box", {"key": _outbound(directory / "state")})
        yield Stage(node, stack.enter_context(running_app(internet, config, directory)), log)


def _outbound(state: Path) -> dict[str, object]:
    """Of the one who is always there and whom nobody knows: enough for a test."""
    keys = read_dotenv(state / "keys.env")
    password = f"{keys['SHADOWSOCKS_SERVER_KEY']}:{keys['SHADOWSOCKS_PLACEHOLDER_KEY']}"
    return {
        "type": "shadowsocks",
        "server": NODE,
        "server_port": SHADOWSOCKS_PORT,
        "method": SHADOWSOCKS_METHOD,
        "password": password,
    }


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(tmp_path_factory.mktemp("strict")) as stage:
        yield stage


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with a_stage(tmp_path_factory.mktemp("lenient"), BLOCK_TORRENTS="false") as stage:
        yield stage


@pytest.mark.parametrize("host", [PAGE, "page.test", f"::ffff:{PAGE}"])
def test_what_is_public_answers(stage: Stage, host: str) -> None:
    assert stage.answer(host) == PAGE


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1.2.3",
        "::ffff:127.0.0.1",
        "loopback.test",
        "localhost",
        "0.0.0.0",
        NEIGHBOUR,
        "neighbour.test",
    ],
)
def test_what_is_private_does_not(stage: Stage, host: str) -> None:
    assert stage.answer(host) == ""


def test_a_name_of_which_one_address_is_private_is_refused_each_time(stage: Stage) -> None:
    """Which of its addresses is dialled is chosen later."""
    assert {stage.answer("either.test") for _ in range(10)} == {""}


def test_a_private_name_is_refused_whatever_is_said(lenient: Stage) -> None:
    """A rule that matches before a name was looked up would let it through."""
    assert lenient.answer(PAGE, TORRENT) == PAGE
    assert lenient.answer("page.test", TORRENT) == PAGE
    assert {lenient.answer(host, TORRENT) for host in ("loopback.test", "neighbour.test")} == {""}


def test_torrents_are_refused_by_a_setting(stage: Stage, lenient: Stage) -> None:
    assert stage.answer(PAGE, TORRENT) == ""
    assert lenient.answer(PAGE, TORRENT) == PAGE


@pytest.mark.parametrize("named", ["neighbour.test", "nowhere.test"])
def test_a_name_in_the_traffic_changes_nothing(stage: Stage, named: str) -> None:
    """Neither where the connection goes nor whether it may: a customer says there what he likes."""
    request = f"GET / HTTP/1.1\r\nHost: {named}\r\n\r\n".encode()

    assert stage.answer(PAGE, request) == PAGE
    assert stage.answer(NEIGHBOUR, request.replace(named.encode(), b"page.test")) == ""


def test_the_node_itself_is_refused_by_the_kernel_where_xray_knows_it_only_by_name(stage: Stage) -> None:
    assert stage.answer(NODE) == NODE

    stage.node.run("nft", "-f", stage.log.parent / "state" / "rendered" / "firewall.nft")

    assert stage.answer(NODE) == ""
    assert stage.answer(PAGE) == PAGE
    stage.node.run("nft", "flush", "ruleset")


def test_no_log_names_a_destination(stage: Stage) -> None:
    """Nor one that was refused, that does not answer, or that cannot be found."""
    tried = [PAGE, "page.test", "neighbour.test", "nowhere.test", "198.51.100.99", "2001:db8::99"]
    with pytest.raises(OSError, match="timed out"):
        stage.app.resolves("who-asks.test", "key")
    for host in tried:
        stage.answer(host)

    said = stage.log.read_text()

    assert "started" in said
    assert not [host for host in (*tried, "who-asks.test", NEIGHBOUR, "198.51.100.53") if host in said]


def test_the_placeholder_is_not_among_them(stage: Stage) -> None:
    """Nobody else gets in: not with the server's key alone."""
    state = stage.log.parent / "state"
    alone = {**_outbound(state), "password": read_dotenv(state / "keys.env")["SHADOWSOCKS_SERVER_KEY"]}

    with running_app(stage.app.network, Config("sing-box", {"key": alone}), stage.log.parent) as intruder:
        assert intruder.says(PAGE, PORT, TALK, "key") == b""
    assert json.loads((state / "rendered" / "shadowsocks_2022.json").read_text())["inbounds"][0]["settings"]["clients"]

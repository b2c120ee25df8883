"""Whoever tries the node's ports without a key sees the borrowed site, or nothing."""

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from shared.inbounds import SHADOWSOCKS_PORT, VLESS_PORT
from tests.node_b.carrying.apps import Config, Program
from tests.node_b.carrying.conftest import StartApp
from tests.node_b.carrying.links import Link, VlessLink
from tests.node_b.carrying.people import Person
from tests.node_b.world.names import BORROWED_NAME, NODE, PAGE_NAME
from tests.node_b.world.world import World
from tests.waiting import until

pytestmark = [pytest.mark.proof, pytest.mark.slow]

NOBODY: Final = "00000000-0000-4000-8000-000000000000"


def looks_at(world: World, address: str, port: int, name: str) -> tuple[str, str]:
    """The certificate, which must be the borrowed site's own, and the page, as a browser sees them at `address`."""
    trusting = ssl.create_default_context(cafile=world.sites.certificate)
    trusting.check_hostname = name == BORROWED_NAME
    with (
        world.customers.entered(),
        socket.create_connection((address, port), timeout=10) as plain,
        trusting.wrap_socket(plain, server_hostname=name) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        page = b"".join(iter(lambda: secure.recv(4096), b"")).decode()
        certificate = secure.getpeercert(binary_form=True)
    assert certificate is not None
    return ssl.DER_cert_to_PEM_cert(certificate), page.rpartition("\r\n\r\n")[2]


@pytest.mark.parametrize("name", [BORROWED_NAME, "somebody-else.test"])
def test_a_browser_sees_the_borrowed_site(world: World, name: str) -> None:
    certificate, page = looks_at(world, NODE, VLESS_PORT, name)

    assert certificate.strip() == world.sites.certificate.read_text().strip()
    assert page == "the borrowed site"


WRONG: Final[dict[str, Callable[[VlessLink], VlessLink]]] = {
    "short id": lambda link: link.changed(sid="00" * 8),
    "no short id": lambda link: link.changed(sid=""),
    "public key": lambda link: link.changed(pbk="A" * 42 + "E"),
}


@pytest.mark.parametrize("program", ["xray", "sing-box"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_key_with_a_wrong_part_meets_the_borrowed_site_and_never_the_tunnel(
    anna: Person, start_app: StartApp, program: Program, wrong: str
) -> None:
    app = start_app(Config.of(program, right=anna.vless, wrong=WRONG[wrong](anna.vless)))
    until(lambda: app.gets_through("right"))

    assert not app.gets_through("wrong")

    # The app says that it has met a genuine certificate: the node has none but the borrowed site's.
    told = {"xray": "received real certificate", "sing-box": "reality verification failed"}[program]
    until(lambda: told in app.log.read_text())


@pytest.mark.parametrize("program", ["xray", "sing-box"])
def test_an_id_that_nobody_has_opens_nothing(anna: Person, start_app: StartApp, program: Program) -> None:
    app = start_app(Config.of(program, right=anna.vless, wrong=replace(anna.vless, id=NOBODY)))
    until(lambda: app.gets_through("right"))

    assert not app.gets_through("wrong")


def of_another_key(link: Link) -> Link:
    assert not isinstance(link, VlessLink)
    server_key, _, user_key = link.password.partition(":")
    return replace(link, password=f"{server_key}:{'A' * len(user_key.rstrip('='))}==")


@pytest.mark.parametrize("program", ["xray", "sing-box"])
def test_neither_another_user_key_nor_the_server_key_alone_opens_shadowsocks(
    anna: Person, start_app: StartApp, program: Program
) -> None:
    link = anna.shadowsocks
    alone = replace(link, password=link.password.partition(":")[0])
    app = start_app(Config.of(program, right=link, wrong=of_another_key(link), alone=alone))
    until(lambda: app.gets_through("right"))

    assert not app.gets_through("wrong")
    assert not app.gets_through("alone")
    with pytest.raises(OSError, match="timed out"):
        app.resolves(PAGE_NAME, "alone")


GARBAGE: Final = {
    "a few bytes": b"\x05\x01\x00",
    "noise": os.urandom(600),
    "a request": b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
    "much noise": os.urandom(100_000),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_gets_no_byte_out_of_shadowsocks(world: World, garbage: str) -> None:
    with world.customers.entered(), socket.create_connection((NODE, SHADOWSOCKS_PORT), timeout=10) as probe:
        assert answer_to(probe, GARBAGE[garbage]) == b""


def answer_to(probe: socket.socket, words: bytes) -> bytes:
    """All of it, until the connection is closed; TimeoutError if that does not come to pass."""
    try:
        probe.sendall(words)
        with contextlib.suppress(OSError):  # closed by the other side already: what it said is still to be read
            probe.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: probe.recv(4096), b""))
    except (ConnectionError, BrokenPipeError):
        return b""


def test_a_hello_of_tls_gets_no_byte_out_of_shadowsocks(world: World) -> None:
    with pytest.raises((OSError, ssl.SSLError)) as refused:
        looks_at(world, NODE, SHADOWSOCKS_PORT, BORROWED_NAME)
    assert not isinstance(refused.value, ssl.SSLCertVerificationError)


def test_garbage_datagrams_are_not_answered(world: World) -> None:
    with world.customers.entered(), socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.settimeout(1)
        probe.connect((NODE, SHADOWSOCKS_PORT))
        for garbage in GARBAGE.values():
            probe.send(garbage[:1200])
        with pytest.raises(TimeoutError):
            probe.recv(1000)

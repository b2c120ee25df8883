"""A node for real: Xray with both inbounds on loopback, before it a borrowed site, behind it a page."""

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from node_a.domain.node import Node, RealityInbound, ShadowsocksInbound
from shared.inbounds import SHADOWSOCKS_METHOD, VLESS_FLOW
from tests.node_a.web.link_formats.profiles import a_real_node, keys_of
from tests.programs import free_port, program, run, running
from tests.serving import served

# Only the node can resolve it, so that whoever sees the page came through the node.
PAGE_HOST: Final = "page.test"
PAGE: Final = b"seen through the node"
_BORROWED: Final = "borrowed.test"
_SHADOWSOCKS: Final = ShadowsocksInbound(0, SHADOWSOCKS_METHOD, "ZmFrZSBzZXJ2ZXIga2V5IQ==")


@dataclass(frozen=True)
class RealNode:
    """`page_port`: where the page is, under PAGE_HOST through the node and under localhost without it."""

    node: Node
    page_port: int


@contextmanager
def a_node_for_real(directory: Path) -> Iterator[RealNode]:
    xray = program("xray")
    with ExitStack() as stack:
        borrowed = stack.enter_context(_borrowed_site(directory))
        address = stack.enter_context(served(_page))
        keys = dict(line.split(": ") for line in run(xray, "x25519").stdout.splitlines())
        node = a_real_node(
            1,
            host="127.0.0.1",
            reality=RealityInbound(
                free_port(), VLESS_FLOW, keys["Password (PublicKey)"], "0123abcd", _BORROWED, "chrome"
            ),
            shadowsocks=ShadowsocksInbound(free_port(), _SHADOWSOCKS.method, _SHADOWSOCKS.server_key),
        )
        config = directory / "server.json"
        config.write_text(json.dumps(_server(node, keys["PrivateKey"], borrowed)), encoding="utf-8")
        log = directory / "server.log"
        stack.enter_context(running([xray, "run", "-c", config], node.shadowsocks.port, log))
        yield RealNode(node, int(address.rpartition(":")[2]))


def _page(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [PAGE]


def _server(node: Node, private_key: str, borrowed: int) -> dict[str, Any]:
    vless, shadowsocks = keys_of(node)
    reality = {
        "target": f"127.0.0.1:{borrowed}",
        "serverNames": [_BORROWED],
        "privateKey": private_key,
        "shortIds": [node.reality.short_id],
    }
    return {
        "log": {"loglevel": "warning"},
        "dns": {"hosts": {PAGE_HOST: "127.0.0.1"}, "servers": ["localhost"]},
        "inbounds": [
            {
                "listen": "127.0.0.1",
                "port": node.reality.port,
                "protocol": "vless",
                "settings": {
                    "clients": [{"id": vless.credential, "flow": node.reality.flow, "email": "a"}],
                    "decryption": "none",
                },
                "streamSettings": {"network": "tcp", "security": "reality", "realitySettings": reality},
            },
            {
                "listen": "127.0.0.1",
                "port": node.shadowsocks.port,
                "protocol": "shadowsocks",
                "settings": {
                    "method": node.shadowsocks.method,
                    "password": node.shadowsocks.server_key,
                    "clients": [{"password": shadowsocks.credential, "email": "a"}],
                    "network": "tcp,udp",
                },
            },
        ],
        "outbounds": [{"protocol": "freedom", "settings": {"domainStrategy": "UseIPv4"}}],
    }


@contextmanager
def _borrowed_site(directory: Path) -> Iterator[int]:
    """TLS 1.3, as Reality wants of the site that it borrows."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = directory / "borrowed.key", directory / "borrowed.pem"
    made = run(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={_BORROWED}"),
        *("-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stdout
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, key)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=_shake_hands, args=(server, context), daemon=True).start()
        yield server.getsockname()[1]


def _shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return  # closed: the test is over
        threading.Thread(target=_greet, args=(connection, context), daemon=True).start()


def _greet(connection: socket.socket, context: ssl.SSLContext) -> None:
    connection.settimeout(10)
    try:
        with context.wrap_socket(connection, server_side=True) as secure:
            while secure.recv(4096):
                pass
    except OSError:
        connection.close()

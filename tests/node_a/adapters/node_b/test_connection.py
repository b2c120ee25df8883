"""The way to a node: which addresses and certificates are good enough."""

import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from node_a.adapters.node_b import NodeAccount, NodeB
from node_a.adapters.node_b.connection import LIMITS, open_client
from node_a.adapters.pinning import pinned
from node_a.domain.errors import NodeUnavailable
from sandbox.agent import create_app as create_agent
from sandbox.marzban import create_app as create_marzban
from sandbox.marzban.connections import IDLE_SECONDS
from sandbox.node import create_app as create_node
from sandbox.store import Store
from sandbox.troubles import NodeTroubles
from tests.node_a.adapters.node_b.conftest import START, Site, wanted_access


@dataclass(frozen=True)
class Certificate:
    """A self-made certificate and its key, as files."""

    chain: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.chain.read_text(encoding="ascii")

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return tmp_path_factory.mktemp("certificates")


def a_certificate(directory: Path, name: str, *signed_by: str) -> Certificate:
    """Self-signed, or by the given arguments; for a name that is not the address under which it is served."""
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    names = ["-keyout", str(made.key), "-out", str(made.chain), "-subj", f"/CN={name}.test"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *signed_by], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def nodes_own(directory: Path) -> Certificate:
    return a_certificate(directory, "node")


@asynccontextmanager
async def tls_node(certificate: Certificate) -> AsyncIterator[str]:
    store, troubles = Store(None), NodeTroubles()
    marzban = create_marzban(username="admin", password="fake", store=store, troubles=troubles, clock=START.timestamp)
    agent = create_agent(token="fake", store=store, troubles=troubles, clock=START.timestamp)
    runner = web.AppRunner(create_node(marzban=marzban, agent=agent), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate.server_context()).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        store.close()


def account(url: str, certificate: str | None) -> NodeAccount:
    return NodeAccount(
        url=url, certificate=certificate, panel_username="admin", panel_password="fake", agent_token="fake"
    )


async def test_the_pinned_certificate_opens_the_node(nodes_own: Certificate) -> None:
    async with (
        tls_node(nodes_own) as address,
        NodeB(account(address, nodes_own.pem), clock=lambda: START, second_look_after=0) as node,
    ):
        seen = await node.observe()

    assert (seen.vless_ready, seen.shadowsocks_ready, seen.problem) == (True, True, None)


async def test_another_certificate_of_the_same_name_is_refused(directory: Path, nodes_own: Certificate) -> None:
    (directory / "twin").mkdir()
    twin = a_certificate(directory / "twin", "node")
    async with tls_node(twin) as address, NodeB(account(address, nodes_own.pem), clock=lambda: START) as node:
        with pytest.raises(NodeUnavailable, match="ConnectError"):
            await node.apply(wanted_access())


async def test_a_leaf_is_pinned_itself_and_not_its_authority(directory: Path) -> None:
    authority = a_certificate(directory, "authority")
    signed_by = ["-CA", str(authority.chain), "-CAkey", str(authority.key)]
    signed_by += ["-addext", "basicConstraints=critical,CA:FALSE"]
    leaf, sibling = (a_certificate(directory, name, *signed_by) for name in ("leaf", "sibling"))

    async with tls_node(leaf) as address, NodeB(account(address, leaf.pem), clock=lambda: START) as node:
        await node.apply(wanted_access())
    async with tls_node(sibling) as address, NodeB(account(address, leaf.pem), clock=lambda: START) as node:
        with pytest.raises(NodeUnavailable, match="ConnectError"):
            await node.apply(wanted_access())


def test_exactly_one_certificate_is_pinned(nodes_own: Certificate) -> None:
    for text in ("", nodes_own.pem * 2, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(ValueError, match="certificate"):
            pinned(text)


@pytest.mark.parametrize(
    "url", ["http://192.0.2.1:8443", "http://node.test", "http://localhost.node.test", "ftp://127.0.0.1", "node.test"]
)
def test_an_address_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="node"):
        open_client(url, None)


def test_https_without_a_pinned_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="pinned"):
        open_client("https://127.0.0.1:8443", None)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"])
async def test_loopback_needs_no_certificate(url: str) -> None:
    await open_client(url, None).aclose()


async def test_a_proxy_in_the_environment_is_ignored(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with NodeB(site.account(), clock=lambda: START) as node:
        await node.apply(wanted_access())

    assert len(await site.users()) == 1


def test_we_drop_an_idle_connection_before_the_panel_does() -> None:
    assert LIMITS.keepalive_expiry is not None
    assert 2 <= LIMITS.keepalive_expiry <= IDLE_SECONDS - 2

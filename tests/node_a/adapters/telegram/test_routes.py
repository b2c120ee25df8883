"""Each kind of way to Telegram, against real servers on loopback; and what is known when nothing comes back."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from node_a.adapters.pinning import pinned
from node_a.adapters.telegram.probing import look_at
from node_a.adapters.telegram.routes import NotReached, OpenRoute, Reply, Route
from tests.node_a.adapters.telegram.ways import TOKEN, Api, Proxy, a_proxy, apis, http_connect, socks5

PASSWORD = "not%2Ca%40password"
GET_ME = f"/bot{TOKEN}/getMe"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return tmp_path_factory.mktemp("certificates")


def a_certificate(directory: Path, file: str, name: str = "telegram.test") -> tuple[Path, ssl.SSLContext]:
    """A certificate for `name`, and a server that has it."""
    chain, key = directory / f"{file}.crt", directory / f"{file}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", "-x509", *kind, *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return chain, context


@asynccontextmanager
async def opened(route: Route, trusted: Path | None = None) -> AsyncIterator[OpenRoute]:
    authorities = ssl.create_default_context(cafile=trusted) if trusted else ssl.create_default_context()
    way = OpenRoute(route, authorities)
    try:
        yield way
    finally:
        await way.close()


@asynccontextmanager
async def tls_api(context: ssl.SSLContext) -> AsyncIterator[Api]:
    api = Api()
    await api.start(context)
    try:
        yield api
    finally:
        await api.stop()


async def ask(route: Route, trusted: Path | None = None, seconds: float = 10) -> Reply:
    async with opened(route, trusted) as way:
        return await way.call("get", GET_ME, seconds=seconds)


async def failure_of(route: Route, trusted: Path | None = None, seconds: float = 10) -> NotReached:
    with pytest.raises(NotReached) as caught:
        await ask(route, trusted, seconds)
    assert TOKEN not in str(caught.value)
    assert "password" not in str(caught.value)
    return caught.value


async def test_a_mirror_below_a_path_of_its_own_is_asked_there() -> None:
    async with apis(1) as [api], opened(Route("mirror", f"{api.url}/tg")) as way:
        assert (await way.call("get", GET_ME, seconds=10)).is_telegrams
        assert (await look_at(way, TOKEN)).says == "works"


async def test_a_node_is_trusted_by_its_own_certificate_and_no_other(directory: Path) -> None:
    (own, context), (other, _) = (a_certificate(directory, name, "node.test") for name in ("own", "other"))
    async with tls_api(context) as api:
        url = f"https://127.0.0.1:{api.port}/telegram"
        assert (await ask(Route("node:de1", url, tls=pinned(own.read_text())))).is_telegrams

        wrong = Route("node:de1", url, tls=pinned(other.read_text()))
        assert not (await failure_of(wrong)).sent
        async with opened(wrong) as way:
            assert (await look_at(way, TOKEN)).says == "no answer (not the certificate that is expected there)"
        # The node's certificate counts for the node alone: another address is held against the authorities.
        assert not (await failure_of(Route("direct", url))).sent
        assert api.calls == ["getMe"], "a wrong side hears nothing"


async def test_a_socks_proxy_looks_the_name_up_itself_and_tls_is_telegrams_own(directory: Path) -> None:
    chain, context = a_certificate(directory, "telegram")
    other, _ = a_certificate(directory, "another")
    async with tls_api(context) as api, a_proxy(socks5) as proxy:
        url = f"https://telegram.test:{api.port}"
        route = Route("socks5", url, proxy=f"socks5://user:{PASSWORD}@127.0.0.1:{proxy.port}")

        assert (await ask(route, chain)).is_telegrams
        assert proxy.asked_for == [f"telegram.test:{api.port}"]
        assert not (await failure_of(route, other)).sent, "a proxy that shows us somebody else is found out"
        assert api.calls == ["getMe"]


async def test_a_proxy_for_connect_does_the_same(directory: Path) -> None:
    chain, context = a_certificate(directory, "telegram")
    async with tls_api(context) as api, a_proxy(http_connect) as proxy:
        url = f"https://telegram.test:{api.port}"
        right = Route("http", url, proxy=f"http://user:{PASSWORD}@127.0.0.1:{proxy.port}")
        wrong = Route("http", url, proxy=f"http://user:wrong@127.0.0.1:{proxy.port}")

        assert (await ask(right, chain)).is_telegrams
        assert proxy.asked_for == [f"telegram.test:{api.port}"]
        assert not (await failure_of(wrong, chain)).sent
        async with opened(wrong, chain) as way:
            assert (await look_at(way, TOKEN)).says == "no answer (the proxy refuses)"


async def test_a_socks_proxy_that_refuses_or_is_dead_is_told_from_telegram(unused_tcp_port: int) -> None:
    async with apis(1) as [api], a_proxy(socks5) as proxy:
        refusing = Route("socks5", api.url, proxy=f"socks5://user:wrong-password@127.0.0.1:{proxy.port}")
        deceased = Route("socks5", api.url, proxy=f"socks5://user:{PASSWORD}@127.0.0.1:{unused_tcp_port}")
        said = {}
        for route in (refusing, deceased):
            assert not (await failure_of(route)).sent
            async with opened(route) as way:
                said[route.proxy] = (await look_at(way, TOKEN)).says

        assert list(said.values()) == [
            "no answer (the proxy refuses)",
            "no answer (nothing listens there, or not for us)",
        ]
        assert api.calls == []


async def test_whoever_takes_the_connection_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        routes = [
            Route("silent TLS", f"https://127.0.0.1:{port}"),
            Route("silent SOCKS", "http://telegram.test", proxy=f"socks5://127.0.0.1:{port}"),
            Route("silent CONNECT", "https://telegram.test", proxy=f"http://127.0.0.1:{port}"),
        ]
        for route in routes:
            assert not (await failure_of(route, seconds=0.3)).sent


async def test_a_socks_proxy_that_hangs_up_in_the_middle_is_a_failure_like_any_other() -> None:
    async def hang_up(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)

    async with a_proxy(hang_up) as proxy:
        route = Route("socks5", "http://telegram.test", proxy=f"socks5://user:{PASSWORD}@127.0.0.1:{proxy.port}")
        assert not (await failure_of(route)).sent


@pytest.mark.parametrize("mood", ["cut", "hang"])
async def test_a_call_that_was_heard_and_not_answered_may_have_arrived(mood: str) -> None:
    async with apis(1) as [api], opened(Route("direct", api.url)) as way:
        api.mood = mood
        with pytest.raises(NotReached) as caught:
            await way.call("post", f"/bot{TOKEN}/sendMessage", seconds=0.5)

        assert caught.value.sent
        assert api.calls == ["sendMessage"]


async def test_nobody_there_is_known_at_once_and_nothing_was_sent(unused_tcp_port: int) -> None:
    assert not (await failure_of(Route("direct", f"http://127.0.0.1:{unused_tcp_port}"))).sent
    assert not (await failure_of(Route("direct", "http://telegram.invalid"))).sent


ANSWERS = {"well": True, "401": True, "404": True, "409": True, "429": True, "500": True, "page": False, "json": False}


@pytest.mark.parametrize(("mood", "is_telegrams"), ANSWERS.items())
async def test_telegrams_own_no_is_told_from_somebody_elses_page(mood: str, is_telegrams: bool) -> None:
    async with apis(1) as [api], opened(Route("direct", api.url)) as way:
        api.mood = mood
        assert (await way.call("get", GET_ME, seconds=10)).is_telegrams is is_telegrams
        sight = await look_at(way, TOKEN)

    assert sight.works is is_telegrams
    assert ("look at TELEGRAM_BOT_TOKEN" in sight.says) is (mood in {"401", "404"})


def test_no_route_shows_its_password() -> None:
    assert "password" not in repr(Route("socks5", "https://telegram.test", proxy=f"socks5://user:{PASSWORD}@proxy:1"))

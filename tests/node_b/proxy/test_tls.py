"""Only TLS 1.2 and newer, with the node's own certificate whatever name one asks for; plain HTTP gets nothing."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.node_b.proxy.certificates import Certificate
from tests.node_b.proxy.conftest import Site

# Python warns of what we try to be refused with.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")

OLD = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
NEW = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def limited(context: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    context.set_ciphers("ALL:@SECLEVEL=0")  # by itself OpenSSL speaks nothing so old
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, version
    context.minimum_version = version
    return context


def spoken(port: int, certificate: Certificate, version: ssl.TLSVersion, name: str | None = None) -> str | None:
    """The version that both agreed on. Raises ssl.SSLError or ConnectionError."""
    context = ssl.create_default_context(cadata=certificate.pem)
    context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        limited(context, version).wrap_socket(plain, server_hostname=name) as secured,
    ):
        return secured.version()


@contextmanager
def old_server(certificate: Certificate, version: ssl.TLSVersion) -> Iterator[int]:
    """Takes one connection, in nothing newer than `version`."""
    context = limited(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), version)
    context.load_cert_chain(certificate.chain, certificate.key)

    def take_one() -> None:
        connection, _ = listening.accept()
        with connection, context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        thread = threading.Thread(target=take_one)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("version", OLD, ids=str)
def test_an_old_version_of_tls_is_refused(site: Site, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match="alert"):
        spoken(site.proxy.port, site.proxy.certificate, version)


@pytest.mark.parametrize("version", OLD, ids=str)
def test_and_it_is_the_proxy_that_refuses_it(nodes_own: Certificate, version: ssl.TLSVersion) -> None:
    with old_server(nodes_own, version) as port:
        assert spoken(port, nodes_own, version) == version.name.replace("_", ".")


@pytest.mark.parametrize("version", NEW, ids=str)
@pytest.mark.parametrize("name", [None, "node.test", "127.0.0.1", "other.example"])
def test_new_versions_get_the_nodes_own_certificate_whatever_the_name(
    site: Site, version: ssl.TLSVersion, name: str | None
) -> None:
    assert spoken(site.proxy.port, site.proxy.certificate, version, name) == version.name.replace("_", ".")


@pytest.mark.parametrize("call", [b"GET /api/core HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /\r\n\r\n", b"\x05\x01\x00"])
def test_plain_words_on_the_port_get_no_answer_but_a_refusal(site: Site, call: bytes) -> None:
    with socket.create_connection(("127.0.0.1", site.proxy.port), 30) as plain:
        plain.sendall(call)
        plain.shutdown(socket.SHUT_WR)
        received = b""
        while piece := plain.recv(4096):
            received += piece

    assert received == b"" or b"400 Bad Request" in received or received[:1] == b"\x15"  # an alert
    assert b"location:" not in received.lower(), "nobody is sent elsewhere"
    assert site.seen() == []


def test_only_http_1_is_spoken(site: Site) -> None:
    """The newer ones bring nothing to Node A, and their own attacks."""
    context = ssl.create_default_context(cadata=site.proxy.certificate.pem)
    context.check_hostname = False
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("127.0.0.1", site.proxy.port), 10) as plain,
        context.wrap_socket(plain) as secured,
    ):
        assert secured.selected_alpn_protocol() == "http/1.1"

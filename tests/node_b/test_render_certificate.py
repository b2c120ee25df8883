"""The proxy's certificate: the node's own, which Node A pins."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from node_a.adapters.pinning import pinned
from node_b.certificate import certificate_file, key_file, read_certificate
from tests.node_b.states import render, rendered


@pytest.mark.parametrize("host", ["de1.qent.test", "198.51.100.10", "2001:db8::10"])
def test_the_certificate_is_the_hosts_own_and_lasts(tmp_path: Path, host: str) -> None:
    rendered(tmp_path, NODE_HOST=host)

    certificate = x509.load_pem_x509_certificate(certificate_file(tmp_path).read_bytes())

    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    [name] = names
    assert str(name.value) == host
    assert isinstance(name, x509.DNSName if host.endswith(".test") else x509.IPAddress)
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days > 15 * 365
    assert "qent" not in certificate.subject.rfc4514_string().lower()


def test_node_a_pins_the_certificate_and_no_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        rendered(tmp_path / name)

    assert _shake_hands(tmp_path / "one", pinned(read_certificate(tmp_path / "one"))) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(tmp_path / "one", pinned(read_certificate(tmp_path / "two")))


def _shake_hands(state: Path, client: ssl.SSLContext) -> str | None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate_file(state), key_file(state))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.version()


@pytest.mark.parametrize("damage", ["certificate", "key", "no key", "another key"])
def test_a_damaged_certificate_is_named_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    rendered(tmp_path / "one")
    rendered(tmp_path / "two")
    state = tmp_path / "one"
    if damage == "certificate":
        certificate_file(state).write_text("no certificate")
    elif damage == "key":
        key_file(state).write_text("no key")
    elif damage == "no key":
        key_file(state).unlink()
    else:
        key_file(state).write_bytes(key_file(tmp_path / "two").read_bytes())
    before = certificate_file(state).read_bytes()
    capsys.readouterr()

    for command in ("keys", "block"):
        assert render(state, command) == 2
        assert "remove both for a new pair" in capsys.readouterr().err
    assert certificate_file(state).read_bytes() == before

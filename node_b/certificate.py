"""The proxy's own certificate. Node A pins exactly this one, so nobody else has to vouch for it."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from node_b.decisions import is_address
from node_b.private_files import ensure_directory, write_private
from shared.environment import ConfigurationProblems

DIRECTORY: Final = "certificate"
# Whoever must change it does so by hand, on both nodes: as late as possible.
_LIFE: Final = timedelta(days=20 * 365)
_REMEDY: Final = "put both back from a copy, or remove both for a new pair (Node A then needs the new block)"


def certificate_file(state: Path) -> Path:
    return state / DIRECTORY / "node.crt"


def key_file(state: Path) -> Path:
    return state / DIRECTORY / "node.key"


def ensure_certificate(state: Path, host: str, now: datetime) -> bool:
    """Whether one was made. A key that is there is used: half a pair is an earlier run that was cut short.

    Raises ConfigurationProblems if what is there is damaged. Call it under the state directory's lock.
    """
    ensure_directory(state / DIRECTORY)
    if certificate_file(state).exists():
        read_certificate(state)
        return False
    key = _key(state) if key_file(state).exists() else _new_key(state)
    certificate = _signed(key, host, now).public_bytes(serialization.Encoding.PEM)
    write_private(certificate_file(state), certificate.decode())
    return True


def remove_certificate(state: Path) -> None:
    """So that a new pair is made."""
    certificate_file(state).unlink(missing_ok=True)
    key_file(state).unlink(missing_ok=True)


def read_certificate(state: Path) -> str:
    """Its PEM. Raises ConfigurationProblems unless the pair is whole."""
    try:
        pem = certificate_file(state).read_text(encoding="ascii")
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except FileNotFoundError:
        raise ConfigurationProblems([f"{certificate_file(state)} is not there: `render keys` makes it"]) from None
    except ValueError:
        raise ConfigurationProblems([f"{certificate_file(state)} is damaged: {_REMEDY}"]) from None
    if _key(state).public_key() != certificate.public_key():
        raise ConfigurationProblems([f"{key_file(state)} is another certificate's key: {_REMEDY}"])
    return pem


def _key(state: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(key_file(state).read_bytes(), None)
    except FileNotFoundError:
        raise ConfigurationProblems([f"{key_file(state)} is not there: {_REMEDY}"]) from None
    except (ValueError, TypeError):
        raise ConfigurationProblems([f"{key_file(state)} is damaged: {_REMEDY}"]) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigurationProblems([f"{key_file(state)} is not a key of ours: {_REMEDY}"])
    return key


def _new_key(state: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(key_file(state), pem.decode())
    return key


def _signed(key: ec.EllipticCurvePrivateKey, host: str, now: datetime) -> x509.Certificate:
    # Nothing in it tells a prober whose node this is.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    said = x509.IPAddress(ipaddress.ip_address(host)) if is_address(host) else x509.DNSName(host)
    public = key.public_key()
    now = now.astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # Node A's clock may be behind.
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName([said]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )

"""What customers visit, and the site that Reality borrows: nginx."""

import hashlib
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.node_b.world.names import BORROWED, BORROWED_NAME
from tests.node_b.world.network import Network
from tests.programs import is_open, run
from tests.waiting import until

LARGE: Final = "/large"
# The same, at a pace that takes it half a minute; and one that is there for a few seconds.
SLOW: Final = "/slow"
LARGE_BYTES: Final = 50_000_000
_RATE: Final = "1500k"

_CONFIG: Final = """
user root;
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx-errors.log;
events {{ worker_connections 512; }}
http {{
  access_log {directory}/nginx-access.log;
  default_type text/plain;
  client_body_temp_path {directory}/nginx-body;
  proxy_temp_path {directory}/nginx-proxy;
  fastcgi_temp_path {directory}/nginx-fastcgi;
  uwsgi_temp_path {directory}/nginx-uwsgi;
  scgi_temp_path {directory}/nginx-scgi;
  server {{
    listen 80;
    listen [::]:80;
    location = / {{ return 200 "the page, for $remote_addr"; }}
    location = {large} {{ alias {directory}/large; }}
    location = {slow} {{ alias {directory}/large; limit_rate {rate}; }}
  }}
  server {{
    listen {borrowed}:443 ssl;
    server_name {borrowed_name};
    ssl_certificate {certificate};
    ssl_certificate_key {directory}/borrowed.key;
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve X25519;
    location / {{ return 200 "the borrowed site"; }}
  }}
}}
"""


@dataclass(frozen=True)
class Sites:
    """`certificate`: of the borrowed site, PEM; `digest`: SHA-256 of what is at LARGE and SLOW."""

    certificate: Path
    digest: str


@contextmanager
def the_sites(network: Network, directory: Path) -> Iterator[Sites]:
    """On every address of `network`."""
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    sites = Sites(_certificate(directory), _large(directory))
    config = directory / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            directory=directory,
            certificate=sites.certificate,
            borrowed=BORROWED,
            borrowed_name=BORROWED_NAME,
            large=LARGE,
            slow=SLOW,
            rate=_RATE,
        ),
        encoding="utf-8",
    )
    process = network.start([nginx, "-c", config, "-e", directory / "nginx-errors.log"], directory / "nginx.log")
    try:
        with network.entered():
            until(lambda: process.poll() is not None or is_open(80))
        assert process.poll() is None, (directory / "nginx.log").read_text()
        yield sites
    finally:
        process.terminate()
        process.wait(10)


def _certificate(directory: Path) -> Path:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate = directory / "borrowed.pem"
    made = run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-subj", f"/CN={BORROWED_NAME}", "-addext", f"subjectAltName=DNS:{BORROWED_NAME}"),
        *("-keyout", directory / "borrowed.key", "-out", certificate),
    )
    assert made.returncode == 0, made.stdout
    return certificate


def _large(directory: Path) -> str:
    content = random.Random(20).randbytes(LARGE_BYTES)
    (directory / "large").write_bytes(content)
    return hashlib.sha256(content).hexdigest()

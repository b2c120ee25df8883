"""The real Caddy and the real nginx with our configurations, and raw calls to them."""

import re
import shutil
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from node_b.render import render_text
from tests.node_b.proxy.certificates import Certificate
from tests.programs import free_port, program, running

FOLDER: Final = Path(__file__).parents[3] / "node_b" / "proxy"
KINDS: Final = ("caddy", "nginx")
# Nothing may open it.
NOBODY: Final = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Proxy:
    """`log`: all that it has written anywhere."""

    kind: str
    port: int
    certificate: Certificate
    directory: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return "".join(file.read_text(errors="replace") for file in self.directory.rglob("*.log"))

    def connect(self, timeout: float = 100) -> ssl.SSLSocket:
        context = ssl.create_default_context(cadata=self.certificate.pem)
        context.check_hostname = False
        return context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), timeout))

    def say(self, request: bytes) -> "Answer":
        """Exactly these bytes, and what comes back until it hangs up."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_answer(connection)

    def call(self, line: str, *headers: str) -> "Answer":
        """One call whose first line is `line`, as it stands there."""
        return self.say("\r\n".join([f"{line} HTTP/1.1", "Connection: close", *headers, "", ""]).encode("latin-1"))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: str
    body: bytes


def read_answer(connection: ssl.SSLSocket) -> Answer:
    received = b""
    while piece := connection.recv(65536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    assert status, f"no answer: {received[:100]!r}"
    return Answer(int(status[1]), head.decode("latin-1").lower(), body)


@contextmanager
def a_proxy(
    kind: str,
    directory: Path,
    certificate: Certificate,
    *,
    panel: str = NOBODY,
    agent: str = NOBODY,
    telegram: str = NOBODY,
    trusted: Path | None = None,
    agent_has_prefix: bool = False,
) -> Iterator[Proxy]:
    """Addresses as `http://HOST:PORT`. `trusted`: the authorities that it believes instead of the machine's.
    `agent_has_prefix`: the agent's stand-in is one whose own paths begin with `/agent`; for Caddy."""
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command: list[str | Path]
    if kind == "caddy":
        config = directory / "Caddyfile"
        text = caddyfile(port, certificate, panel, agent, telegram)
        config.write_text(replaced(text, {"\t\turi strip_prefix /agent\n": ""}) if agent_has_prefix else text)
        command = [*_environment(trusted), program("caddy"), "run", "--adapter", "caddyfile", "--config", config]
    else:
        config = directory / "nginx.conf"
        config.write_text(nginx_conf(directory, port, certificate, panel, agent, telegram, trusted))
        command = [nginx(), "-p", directory, "-c", config]
    with running(command, port, directory / "said.log"):
        yield Proxy(kind, port, certificate, directory)


def caddyfile(port: int, certificate: Certificate, panel: str, agent: str, telegram: str) -> str:
    text = render_text(
        (FOLDER / "Caddyfile").read_text(encoding="utf-8"),
        {
            "proxy_port": port,
            "certificate": str(certificate.chain),
            "certificate_key": str(certificate.key),
            "panel_address": panel.removeprefix("http://"),
            "agent_address": agent.removeprefix("http://"),
            "telegram_api": telegram,
        },
    )
    return replaced(text, {"\tadmin off\n": "\tadmin off\n\tdefault_bind 127.0.0.1\n"})


def nginx() -> Path:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not found:
        pytest.skip("nginx is not installed")
    return Path(found)


def nginx_conf(
    directory: Path, port: int, certificate: Certificate, panel: str, agent: str, telegram: str, trusted: Path | None
) -> str:
    ours = replaced(
        (FOLDER / "nginx.conf.example").read_text(encoding="utf-8"),
        {
            "    listen 8443 ssl;": f"    listen 127.0.0.1:{port} ssl;",
            "    listen [::]:8443 ssl;\n": "",
            "/var/lib/qentvpn-node-b/certificate/node.crt": str(certificate.chain),
            "/var/lib/qentvpn-node-b/certificate/node.key": str(certificate.key),
            "/var/log/nginx/qentvpn-node-b.log": str(directory / "qentvpn.log"),
            "http://127.0.0.1:8000;": f"{panel};",
            "http://127.0.0.1:8081/;": f"{agent}/;",
            "https://api.telegram.org;": f"{telegram};",
            **({"/etc/ssl/certs/ca-certificates.crt": str(trusted)} if trusted else {}),
        },
    )
    folders = "".join(
        f"    {kind}_temp_path {directory / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    log = directory / "errors.log"
    # One process: the master's workers would live on after it has been killed.
    return (
        f"daemon off;\nmaster_process off;\nuser root;\nerror_log {log} info;\n"
        f"pid {directory / 'nginx.pid'};\nevents {{}}\n"
        f"http {{\n    access_log {directory / 'access.log'};\n{folders}\n{ours}\n}}\n"
    )


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """Each of `changes` stands there exactly once."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"not there, or more than once: {old}"
        text = text.replace(old, new)
    return text


def _environment(trusted: Path | None) -> list[str]:
    extra = [f"SSL_CERT_FILE={trusted}", "SSL_CERT_DIR=/nonexistent"] if trusted else []
    return ["env", "-i", "HOME=/nonexistent", *extra]

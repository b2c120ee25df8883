"""A machine that is to become a Node B: the borrowed site beside it, a clock that says it is right, and the script."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.node_b.containers.engine import Engine
from tests.node_b.containers.images import ROOT
from tests.waiting import until

PROJECT: Final = "qentvpn-node-b"
SITE: Final = "borrowed.test"
SITE_PORT: Final = 9443
ANSWERS: Final = (
    *("--code", "DE1", "--host", "127.0.0.1", "--name-ru", "🇩🇪 Германия 1", "--name-en", "🇩🇪 Germany 1"),
    *("--borrow", f"{SITE}:{SITE_PORT}", "--node-a", "192.0.2.7,2001:db8::7", "--without-proof"),
)
_CLOCK_IS_RIGHT: Final = "#!/bin/sh\necho yes\n"


@dataclass(frozen=True, slots=True)
class Node:
    engine: Engine
    state: Path
    environment: Mapping[str, str]

    @classmethod
    @contextmanager
    def machine(cls, engine: Engine) -> "Iterator[Node]":
        programs = engine.directory / "programs"
        programs.mkdir()
        (programs / "timedatectl").write_text(_CLOCK_IS_RIGHT)
        (programs / "timedatectl").chmod(0o755)
        environment = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "FIREWALL_RUN": str(engine.directory / "firewall-run"),
            "FIREWALL_DETACH": "setsid",
        }
        with _borrowed_site(engine):
            yield cls(engine, engine.directory / "state", environment)

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = ROOT / "deploy_node_b.sh"
        return self.engine.run(script, "--state", str(self.state), *arguments, **self.environment)

    def container(self, service: str) -> str:
        """Its id."""
        label = f"label=com.docker.compose.service={service}"
        (one,) = self.engine.docker("ps", "--quiet", "--no-trunc", "--filter", label).split()
        return one

    def health(self, service: str) -> str:
        status: str = self.engine.inspect(self.container(service))["State"]["Health"]["Status"]
        return status

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.engine.run("docker", "exec", self.container(service), *command)


@contextmanager
def _borrowed_site(engine: Engine) -> Iterator[None]:
    """OpenSSL's own server: TLS 1.3 and X25519."""
    hosts = engine.directory / "hosts"
    hosts.write_text(f"{hosts.read_text()}127.0.0.1 {SITE}\n")
    key, certificate = engine.directory / "site.key", engine.directory / "site.crt"
    made = engine.run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
        *("-subj", f"/CN={SITE}", "-keyout", key, "-out", certificate),
    )
    assert made.returncode == 0, made.stdout
    with (engine.directory / "site.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *engine.inside,
                *("openssl", "s_server", "-accept", str(SITE_PORT), "-tls1_3", "-www", "-key", str(key)),
                *("-cert", str(certificate)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: f":{SITE_PORT} " in engine.run("ss", "-Hltn").stdout)
            yield
        finally:
            server.kill()
            server.wait()

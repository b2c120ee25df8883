"""A machine that is to become a Node B: the borrowed site beside it, a clock that says it is right, and the script."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psutil

from tests.node_b.containers.engine import Engine
from tests.node_b.containers.images import ROOT
from tests.waiting import until

SERVICES: Final = ("panel", "agent", "proxy")
SITE: Final = "borrowed.test"
SITE_PORT: Final = 9443
ANSWERS: Final = (
    *("--code", "DE1", "--host", "127.0.0.1", "--name-ru", "🇩🇪 Германия 1", "--name-en", "🇩🇪 Germany 1"),
    *("--borrow", f"{SITE}:{SITE_PORT}", "--node-a", "192.0.2.7,2001:db8::7", "--ssh-ports", "22"),
    "--without-proof",
)
# What Node A needs besides a node.
THE_REST: Final = {
    "TELEGRAM_BOT_TOKEN": "42:not-a-real-bot-token",
    "TELEGRAM_BOT_USERNAME": "qent_test_bot",
    "SUPPORT_CONTACT": "@qent_support",
    "PUBLIC_URL": "https://qent.test/",
    "YOOKASSA_SHOP_ID": "54321",
    "YOOKASSA_SECRET_KEY": "not-a-real-secret-key",
    "KEY_SECRETS__1": "1" * 32,
}
_CLOCK_IS_RIGHT: Final = "#!/bin/sh\necho yes\n"


@dataclass(frozen=True, slots=True)
class Node:
    engine: Engine
    checkout: Path
    state: Path
    environment: Mapping[str, str]
    first: list[str] = field(default_factory=list)  # what the first run printed

    @classmethod
    @contextmanager
    def machine(cls, engine: Engine) -> "Iterator[Node]":
        programs = engine.directory / "programs"
        (programs / "timedatectl").write_text(_CLOCK_IS_RIGHT)
        (programs / "timedatectl").chmod(0o755)
        environment = {
            "FIREWALL_RUN": str(engine.directory / "firewall-run"),
            "FIREWALL_DETACH": "setsid",
            "SYSCTL_FILE": str(engine.directory / "sysctl.conf"),
            "MODULES_FILE": str(engine.directory / "modules.conf"),
        }
        with _borrowed_site(engine):
            yield cls(engine, _a_checkout(engine.directory / "checkout"), engine.directory / "state", environment)

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        script = self.checkout / "deploy_node_b.sh"
        return self.engine.run(script, "--state", str(self.state), *arguments, **self.environment)

    def healthy(self) -> bool:
        return all(self.health(service) == "healthy" for service in SERVICES)

    def xrays(self) -> list[tuple[int, psutil.Process]]:
        """All in this machine's network, also those that nobody started lately; each with its parent."""
        here = Path(f"/proc/{self.pid('proxy')}/ns/net").stat().st_ino
        found = []
        for process in psutil.process_iter():
            with suppress(OSError, psutil.Error):
                if process.name() == "xray" and Path(f"/proc/{process.pid}/ns/net").stat().st_ino == here:
                    found.append((process.ppid(), process))
        return found

    def pid(self, service: str) -> int:
        """Of its first process."""
        number: int = self.engine.inspect(self.container(service))["State"]["Pid"]
        return number

    def xray_of(self, service: str) -> psutil.Process:
        (found,) = [one for parent, one in self.xrays() if parent == self.pid(service)]
        return found

    def files(self) -> dict[str, tuple[int, str]]:
        """What deploying has written, and when; not what the services write by themselves."""
        own = [
            path for path in self.state.rglob("*") if path.relative_to(self.state).parts[0] not in {"agent", "marzban"}
        ]
        return {str(path): (path.stat().st_mtime_ns, path.read_text() if path.is_file() else "") for path in own}

    def containers(self) -> dict[str, str]:
        """When each was started, by its id."""
        ids = self.engine.docker("ps", "--all", "--quiet", "--no-trunc").split()
        return {one: self.engine.inspect(one)["State"]["StartedAt"] for one in ids}

    def firewall(self) -> str:
        return self.engine.run("nft", "--stateless", "list", "ruleset").stdout

    def block(self) -> dict[str, str]:
        """What is pasted into Node A's `.env`, as --show-secrets prints it."""
        return block_in(self.deploy("--show-secrets").stdout)

    def deploy_first(self) -> None:
        done = self.deploy(*ANSWERS)
        assert done.returncode == 0, done.stdout
        self.first.append(done.stdout)

    def as_node_a(self, block: dict[str, str]) -> dict[str, Any]:
        """What panel and agent answer to a Node A that has this block in its settings."""
        settings = self.engine.directory / "node_a.env"
        settings.write_text("".join(f"{name}={value}\n" for name, value in {**THE_REST, **block}.items()))
        done = self.engine.run(
            sys.executable, "-m", "tests.node_b.containers.as_node_a", settings, PYTHONPATH=str(ROOT)
        )
        assert done.returncode == 0, done.stdout
        answered: dict[str, Any] = json.loads(done.stdout)
        return answered

    def container(self, service: str) -> str:
        """Its id."""
        label = f"label=com.docker.compose.service={service}"
        (one,) = self.engine.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", label).split()
        return one

    def health(self, service: str) -> str:
        status: str = self.engine.inspect(self.container(service))["State"]["Health"]["Status"]
        return status

    def must_be_healthy(self, service: str) -> bool:
        """Whether the time has passed in which a failed check is forgiven."""
        found = self.engine.inspect(self.container(service))
        forgiven = timedelta(microseconds=found["Config"]["Healthcheck"]["StartPeriod"] / 1000)
        return datetime.now(UTC) > datetime.fromisoformat(found["State"]["StartedAt"]) + forgiven

    def inside(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.engine.run("docker", "exec", self.container(service), *command)


def block_in(printed: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("NODES__"))


def _a_checkout(directory: Path) -> Path:
    """Of this tree, as it is now: whoever edits it meanwhile changes no image."""
    directory.mkdir()
    for name in ("deploy_node_b.sh", "docker-compose.node-b.yml"):
        shutil.copy(ROOT / name, directory)
    for name in ("node_b", "shared"):
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    return directory


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

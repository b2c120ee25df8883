"""A node as `deploy_node_b.sh` makes it, without the containers: keys and configurations by `node_b.render`, the
panel's stand-in with the real core, the agent, the proxy, and the firewall."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from shared.agent_contract import UserPage, UserReport
from shared.environment import read_dotenv
from shared.inbounds import PROXY_PORT, SHADOWSOCKS_PORT, VLESS_PORT
from tests.node_b.world.names import BORROWED_NAME, NODE, SHOP
from tests.node_b.world.network import Network
from tests.programs import is_open, program
from tests.waiting import until

OUTLINE_PORT: Final = 8388
# The ports of the node's own loopback that customers must not reach.
PANEL_PORT: Final = 8000
AGENT_PORT: Final = 8081
# Where the containers have what `certificate/` holds.
_CERTIFICATE_IN_CONTAINER: Final = "/etc/qentvpn/certificate"

_DECISIONS: Final = f"""
NODE_CODE=DE1
NODE_NAME_RU='Германия 1'
NODE_NAME_EN='Germany 1'
NODE_HOST={NODE}
NODE_A_ADDRESSES={SHOP}
REALITY_SERVER_NAME={BORROWED_NAME}
SSH_PORTS=22
"""


@dataclass
class Node:
    """`directory`: where its state is and what its processes write. `outline`: whether it has the inbound for Outline's
    client."""

    network: Network
    directory: Path
    outline: bool = True
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        return self.directory / "state"

    # ── what deploy does ──

    def is_prepared(self) -> None:
        self.state.mkdir(mode=0o700)
        outline = f"OUTLINE_PORT={OUTLINE_PORT}\n" if self.outline else ""
        (self.state / "node.env").write_text(_DECISIONS + outline, encoding="utf-8")
        self.render("keys")
        self.render("configs")
        for part in ("agent", "marzban"):
            (self.state / part).mkdir(exist_ok=True)

    def render(self, *command: str) -> str:
        return self.network.run(sys.executable, "-m", "node_b.render", "--state", self.state, *command)

    def block(self) -> dict[str, str]:
        """What the operator pastes into Node A's `.env`."""
        file = self.directory / "block.env"
        file.write_text(self.render("block"), encoding="utf-8")
        return read_dotenv(file)

    def keys(self) -> dict[str, str]:
        return read_dotenv(self.state / "keys.env")

    def rendered(self, name: str) -> Path:
        return self.state / "rendered" / name

    def has_its_firewall(self) -> None:
        if shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip("nftables is not installed")
        self.network.run("nft", "-f", self.rendered("firewall.nft"))

    # ── its processes ──

    def starts(self) -> None:
        """All of them, up."""
        self.starts_panel()
        self.starts_agent()
        self.starts_proxy()
        ports = (PANEL_PORT, AGENT_PORT, PROXY_PORT, VLESS_PORT, SHADOWSOCKS_PORT)
        until(lambda: self._all_run() and all(map(self.listens, ports)))

    def starts_panel(self) -> None:
        keys = self.keys()
        options = {
            "--directory": self.state / "marzban",
            "--username": keys["PANEL_USERNAME"],
            "--xray": program("xray"),
            "--xray-config": self.rendered("vless_reality.json"),
        }
        given = [str(part) for option in options.items() for part in option]
        login = {"PANEL_PASSWORD": keys["PANEL_PASSWORD"]}
        self._start("panel", [sys.executable, "-m", "sandbox", "panel", *given], login)

    def starts_agent(self) -> None:
        environment = {
            **read_dotenv(self.rendered("agent.env")),
            "AGENT_STATE": str(self.state / "agent"),
            "AGENT_XRAY": str(program("xray")),
            "AGENT_XRAY_CONFIG": str(self.rendered("shadowsocks_2022.json")),
        }
        self._start("agent", [sys.executable, "-m", "node_b.agent"], environment)

    def starts_proxy(self) -> None:
        rendered = self.rendered("Caddyfile").read_text(encoding="utf-8")
        file = self.directory / "Caddyfile"
        file.write_text(rendered.replace(_CERTIFICATE_IN_CONTAINER, str(self.state / "certificate")), encoding="utf-8")
        command = [str(program("caddy")), "run", "--config", str(file), "--adapter", "caddyfile"]
        self._start("proxy", command, {"XDG_DATA_HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory)})

    def ends(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()
            process.wait()

    def log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def listens(self, port: int) -> bool:
        with self.network.entered():
            return is_open(port)

    def cores(self) -> list[psutil.Process]:
        """Both Xrays."""
        return [one for one in self.network.processes() if one.name() == program("xray").name[:15]]

    def _start(self, name: str, command: Sequence[str | Path], environment: dict[str, str]) -> None:
        self.processes[name] = self.network.start(command, self.log(name), environment)

    def _all_run(self) -> bool:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name}: {self.log(name).read_text()}"
        return True

    # ── what it holds ──

    def agent_users(self) -> dict[str, UserReport]:
        with self._client(AGENT_PORT) as agent:
            token = {"Authorization": f"Bearer {self.keys()['AGENT_TOKEN']}"}
            answer = agent.get("/v1/users", params={"limit": 1000}, headers=token).raise_for_status()
        return {user.name: user for user in UserPage.model_validate_json(answer.content).users}

    def panel_users(self) -> dict[str, dict[str, Any]]:
        with self._client(PANEL_PORT) as panel:
            users: dict[str, dict[str, Any]] = panel.get("/sandbox/users").raise_for_status().json()
        return users

    @contextmanager
    def _client(self, port: int) -> Iterator[httpx.Client]:
        with self.network.entered(), httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client


@contextmanager
def a_node(network: Network, directory: Path, *, outline: bool = True) -> Iterator[Node]:
    """Up, with no customers, behind its firewall."""
    node = Node(network, directory, outline)
    node.is_prepared()
    node.has_its_firewall()
    try:
        node.starts()
        yield node
    finally:
        node.ends()

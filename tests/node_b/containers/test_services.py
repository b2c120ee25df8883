"""The services as they run: with what they may do, and what becomes of them when something breaks."""

import json
import signal

import pytest

from tests.node_b.containers.images import ROOT
from tests.node_b.containers.node import SERVICES, Node
from tests.waiting import until

# By service: CAP_NET_BIND_SERVICE, the tenth bit, or nothing.
CAPABILITIES = {"panel": 0, "agent": 1 << 10, "proxy": 1 << 10}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_cannot_write_to_its_root(node: Node, service: str) -> None:
    written = node.inside(service, "touch", "/usr/local/bin/planted")

    assert "Read-only file system" in written.stdout


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_capability_that_it_does_not_need(node: Node, service: str) -> None:
    status = dict(line.split(":\t", 1) for line in node.inside(service, "cat", "/proc/1/status").stdout.splitlines())

    assert {int(status[of], 16) for of in ("CapEff", "CapPrm", "CapBnd")} == {CAPABILITIES[service]}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_processes_of_its_own_and_bounds(node: Node, service: str) -> None:
    host = node.engine.inspect(node.container(service))["HostConfig"]

    assert host["PidMode"] in {"", "private"}
    assert host["NetworkMode"] == "host"
    assert (host["Memory"] > 0, host["PidsLimit"]) == (True, 512)
    assert host["RestartPolicy"]["Name"] == "unless-stopped"


def test_every_log_is_rotated(node: Node) -> None:
    # Podman keeps no more than the size of it.
    file, variables = str(ROOT / "docker-compose.node-b.yml"), str(node.state / "compose.env")
    said = node.engine.docker("compose", "--env-file", variables, "--file", file, "config", "--format", "json")

    rotated = {"driver": "json-file", "options": {"max-file": "5", "max-size": "10m"}}
    assert [service["logging"] for service in json.loads(said)["services"].values()] == [rotated] * len(SERVICES)
    for service in SERVICES:
        kept = node.engine.podman("inspect", "--format", "{{.HostConfig.LogConfig.Size}}", node.container(service))
        assert kept.strip() == "10MB"


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back_and_leaves_no_xray_behind(node: Node, service: str) -> None:
    first = node.pid(service)

    node.engine.run("kill", "-KILL", str(first))

    until(lambda: node.pid(service) not in {0, first})
    until(lambda: sorted(parent for parent, _ in node.xrays()) == sorted([node.pid("panel"), node.pid("agent")]))
    until(node.healthy)


def test_an_agent_without_its_xray_is_unhealthy(node: Node) -> None:
    config = node.state / "rendered" / "shadowsocks_2022.json"
    good = config.read_text()
    # The same file, as it is mounted: what the agent finds in order, and Xray refuses.
    config.write_text(good.replace('"protocol": "freedom"', '"protocol": "nonsense"'))
    try:
        node.engine.docker("restart", node.container("agent"))
        until(lambda: node.health("agent") == "unhealthy")
    finally:
        config.write_text(good)

    node.engine.docker("restart", node.container("agent"))

    until(node.healthy)


def test_a_proxy_that_reaches_no_agent_is_unhealthy(node: Node) -> None:
    node.engine.docker("pause", node.container("agent"))
    try:
        until(lambda: node.health("proxy") == "unhealthy")
    finally:
        node.engine.docker("unpause", node.container("agent"))

    until(node.healthy)


def test_a_panel_without_its_core_is_unhealthy_and_then_starts_anew(node: Node) -> None:
    first = node.pid("panel")
    until(lambda: node.must_be_healthy("panel"))

    node.xray_of("panel").send_signal(signal.SIGSTOP)

    until(lambda: node.health("panel") == "unhealthy")
    until(lambda: node.pid("panel") not in {0, first})
    until(node.healthy)

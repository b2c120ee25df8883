"""The deployed stack."""

from tests.node_b.containers.node import ANSWERS, Node


def test_try(node: Node) -> None:
    done = node.deploy(*ANSWERS)
    print(done.stdout[-1500:])
    for s in ("panel", "agent", "proxy"):
        print(s, node.engine.docker("logs", node.container(s)))
        print(node.engine.podman("inspect", node.container(s), "--format", "{{json .State.Health}}"))
    print(node.inside("panel", "python", "/opt/qentvpn/healthy.py"))
    print(node.inside("panel", "sh", "-c", "cat /proc/[0-9]*/stat; cat /tmp/xray.log"))
    print(node.inside("agent", "python", "-m", "node_b.agent", "healthy"))
    assert done.returncode == 0

"""The Xray of an agent, seen from outside."""

import psutil

from tests.node_b.agent.agents import Agent


def pids_of_xray(agent: Agent) -> list[int]:
    """Of all that run with its configuration."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if (process.info["cmdline"] or [])[1:] == ["run", "-c", str(agent.settings.state / "xray.json")]
        and process.status() != psutil.STATUS_ZOMBIE
    ]


def pid_of_xray(agent: Agent) -> int:
    (pid,) = pids_of_xray(agent)
    return pid

"""Whoever applies the firewall: at a terminal, from a script, or cut off in the middle of it."""

import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from tests.node_b.firewall.machines import NODE, Machines
from tests.node_b.world.network import PROJECT, Network
from tests.waiting import until

APPLY: Final = PROJECT / "node_b" / "firewall" / "apply.sh"
IN_FORCE: Final = 0
REFUSED: Final = 1
TAKEN_BACK: Final = 3
SSH: Final = 22


@dataclass
class Operator:
    """On the node, with `directory` for all that is kept."""

    machines: Machines
    directory: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def rules(self) -> Path:
        return self.directory / "rendered" / "firewall.nft"

    @property
    def kept(self) -> Path:
        return self.directory / "firewall" / "kept.nft"

    def writes(self, rules: str) -> None:
        self.rules.parent.mkdir(exist_ok=True)
        self.rules.write_text(rules, encoding="utf-8")

    def in_force(self) -> str:
        """The node's whole ruleset, with the numbers that a rule gets when it is loaded."""
        return self.machines.node.run("nft", "--handle", "list", "ruleset")

    def begins(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """In a session of its own, as sshd makes one; whoever started the tests may be deaf to signals."""
        with self.machines.node.entered():
            process = subprocess.Popen(
                ["env", "--default-signal", "bash", str(APPLY), *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                env={**self._environment(), **(environment or {})},
            )
        self.started.append(process)
        return process

    def applies(self, *options: str, environment: Mapping[str, str] | None = None) -> tuple[int, str]:
        """To its end; its exit code and what it said."""
        process = self.begins(*options, self.rules, environment=environment)
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def confirms(self) -> tuple[int, str]:
        process = self.begins("--confirm")
        said, _ = process.communicate(timeout=60)
        return process.returncode, said

    def plays(self, program: str, script: str) -> None:
        """From now on it does this, for what the operator begins."""
        file = self.directory / "programs" / program
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        file.chmod(0o755)

    def is_on_trial(self) -> bool:
        return (self.directory / "run" / "seen").exists()

    @contextmanager
    def at_a_terminal(self, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        ours, theirs = pty.openpty()
        with self.machines.node.entered():
            process = subprocess.Popen(
                ["bash", str(APPLY), *options, str(self.rules)],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                env=self._environment(),
            )
        os.close(theirs)
        try:
            yield process, ours
        finally:
            process.kill()
            process.wait()
            os.close(ours)

    def watcher(self) -> int:
        """The process that would take the rules back."""
        found = []
        for process in self.machines.node.processes():
            with suppress(psutil.NoSuchProcess):
                if "--watch" in process.cmdline():
                    found.append((process.create_time(), process.pid))
        return min(found)[1]  # the others are its children of a moment

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": f"{self.directory / 'programs'}:{os.environ['PATH']}",
            "FIREWALL_RUN": str(self.directory / "run"),
            # systemd would start it outside of the test's network.
            "FIREWALL_DETACH": "setsid",
        }


@contextmanager
def an_operator(machines: Machines, directory: Path) -> Iterator[Operator]:
    operator = Operator(machines, directory)
    try:
        yield operator
    finally:
        for process in machines.node.processes():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        for started in operator.started:
            started.communicate()
        machines.node.run("nft", "flush", "ruleset")


@contextmanager
def an_ssh_connection(machine: Network, port: int = SSH, address: str = NODE[4]) -> Iterator[socket.socket]:
    """What the firewall sees of one."""
    with machine.entered():
        connection = socket.create_connection((address, port), timeout=10)
    with connection:
        yield connection


def ends(process: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def until_on_trial(operator: Operator) -> None:
    until(operator.is_on_trial)

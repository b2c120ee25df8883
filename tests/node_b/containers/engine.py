"""A container engine of the test's own: Podman's service for the ordinary `docker` client, with its own storage, in a
network and a mount namespace of its own. Health checks would need systemd there, so a thread runs them.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.programs import program
from tests.waiting import until

NEEDED: Final = ("podman", "runc", "buildah", "docker", "nsenter", "unshare", "ip", "nft", "openssl")
# runc, because crun refuses the cgroups of some kernels.
_CONTAINERS_CONF: Final = """
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[engine.runtimes]
runc = ["{0}/programs/runc"]
"""
# A test machine's root may not raise its own limits, as Docker's may: what is asked for beyond them is cut.
_RUNC: Final = """#!{python}
import json, os, resource, sys

def cut(path):
    with open(path) as file:
        asked = json.load(file)
    for limit in asked.get("process", asked).get("rlimits", ()):
        most = resource.getrlimit(getattr(resource, limit["type"]))[1]
        if most != resource.RLIM_INFINITY:
            limit.update(soft=min(limit["soft"], most), hard=min(limit["hard"], most))
    with open(path, "w") as file:
        json.dump(asked, file)

for option, name in (("--bundle", "config.json"), ("--process", "")):
    if option in sys.argv:
        cut(os.path.join(sys.argv[sys.argv.index(option) + 1], name).rstrip("/"))
os.execv("{runc}", ["runc", *sys.argv[1:]])
"""
# Podman tells the client 0 for a container that it has removed by itself, whatever it ended with.
_DOCKER: Final = """#!/bin/bash
[[ $1 == run ]] || exec {docker} "$@"
id=$(mktemp --dry-run)
arguments=()
for argument in "$@"; do [[ $argument == --rm ]] || arguments+=("$argument"); done
{docker} run --cidfile "$id" "${{arguments[@]:1}}"
status=$?
{docker} rm --force "$(<"$id")" >/dev/null
rm "$id"
exit $status
"""
# With a longer name than 50 characters for `runroot`, Podman starts no container again.
_STORAGE_CONF: Final = """
[storage]
driver = "overlay"
graphroot = "{0}/storage"
runroot = "/run/containers/storage"
"""


@dataclass(frozen=True, slots=True)
class Engine:
    """`inside`: what a command begins with to be run in the engine's network."""

    directory: Path
    inside: Sequence[str]
    environment: Mapping[str, str]

    def run(self, *command: str | Path, **more: Any) -> subprocess.CompletedProcess[str]:
        """In the engine's network; both outputs in `stdout`, in order."""
        return subprocess.run(
            [*self.inside, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
            env={**os.environ, **self.environment, **more},
        )

    def podman(self, *arguments: str | Path) -> str:
        done = self.run("podman", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def docker(self, *arguments: str) -> str:
        done = self.run("docker", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def inspect(self, container: str) -> dict[str, Any]:
        """Asked until it answers: in the moment of a container's death Podman cannot."""
        found: list[dict[str, Any]] = []

        def answered() -> bool:
            done = self.run("docker", "inspect", container)
            if done.returncode == 0:
                found.extend(json.loads(done.stdout))
            return bool(found)

        until(answered)
        return found[0]


@contextmanager
def an_engine(directory: Path) -> Iterator[Engine]:
    """Its containers, processes and files are gone afterwards."""
    for name in NEEDED:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed: a container engine needs it (apt install podman runc buildah …)")
    if os.geteuid() != 0:
        pytest.skip("a container engine of the test's own needs root")
    compose = program("docker-compose")
    plugins = directory / "docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(compose)
    (directory / "containers.conf").write_text(_CONTAINERS_CONF.format(directory))
    programs = directory / "programs"
    programs.mkdir()
    _write_program(programs / "runc", _RUNC.format(python=sys.executable, runc=shutil.which("runc")))
    _write_program(programs / "docker", _DOCKER.format(docker=shutil.which("docker")))
    (directory / "storage.conf").write_text(_STORAGE_CONF.format(directory))
    socket = directory / "docker.sock"
    environment = {
        "CONTAINERS_CONF": str(directory / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
        "DOCKER_CONFIG": str(directory / "docker"),
        "DOCKER_HOST": f"unix://{socket}",
        "DOCKER_BUILDKIT": "0",
        "XDG_RUNTIME_DIR": str(directory),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    with ExitStack() as running:
        inside = running.enter_context(_a_network_and_mounts(directory))
        engine = Engine(directory, inside, environment)
        running.enter_context(_service(engine, socket))
        running.callback(_remove_all, engine)
        running.enter_context(_health_checks(engine))
        yield engine


def _write_program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@contextmanager
def _a_network_and_mounts(directory: Path) -> Iterator[Sequence[str]]:
    """What a command begins with to be run in them."""
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "--propagation", "private", "sleep", "infinity"], start_new_session=True
    )
    inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net", f"--mount=/proc/{holder.pid}/ns/mnt"]
    try:
        until(lambda: os.readlink(f"/proc/{holder.pid}/ns/mnt") != os.readlink("/proc/self/ns/mnt"))
        until(lambda: Path(f"/proc/{holder.pid}/comm").read_text().strip() == "sleep")
        hosts = directory / "hosts"
        hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
        for command in (
            ["ip", "link", "set", "lo", "up"],
            # Podman keeps its locks and what runs there, under one name for all engines.
            ["mount", "-t", "tmpfs", "shm", "/dev/shm"],
            ["mount", "-t", "tmpfs", "run", "/run"],
            ["mount", "--bind", str(hosts), "/etc/hosts"],
        ):
            subprocess.run([*inside, *command], check=True, timeout=10)
        yield inside
    finally:
        holder.kill()
        holder.wait()


@contextmanager
def _service(engine: Engine, socket: Path) -> Iterator[None]:
    with (engine.directory / "podman.log").open("wb") as log:
        service = subprocess.Popen(
            [*engine.inside, "podman", "system", "service", "--time=0", f"unix://{socket}"],
            env={**os.environ, **engine.environment},
            stdout=log,
            stderr=log,
        )
        try:
            until(socket.exists)
            yield
        finally:
            service.terminate()
            service.wait(timeout=30)


def _remove_all(engine: Engine) -> None:
    engine.run("podman", "rm", "--all", "--force", "--time", "2")
    engine.run("podman", "rmi", "--all", "--force")
    engine.run("umount", "--recursive", engine.directory / "storage" / "overlay")


@contextmanager
def _health_checks(engine: Engine) -> Iterator[None]:
    """Each container's every second or so, in place of the interval it asks for."""
    stop = threading.Event()

    def check() -> None:
        while not stop.wait(1):
            for container in engine.run("podman", "ps", "--quiet").stdout.split():
                # A stopped process would hold it for ever.
                engine.run("timeout", "--kill-after", "1", "8", "podman", "healthcheck", "run", container)

    thread = threading.Thread(target=check)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()

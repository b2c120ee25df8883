"""Processes stop in time, start again when they die, and never outlive whoever started them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sandbox.shop import PROJECT, Shop
from sandbox.state import ports_of, secrets_of

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("processes")]

CHILDREN = {"bot", "web", "worker"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    shop = Shop(tmp_path, ports_of(tmp_path), secrets_of(tmp_path), stand_ins=None)  # type: ignore[arg-type]
    return {**os.environ, **shop.settings(), "PYTHONPATH": str(PROJECT)}


def run(command: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "node_a", command],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Starter:
    """Whoever starts Node A holds the writing end of a pipe."""

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        self._lives = True

    def ends(self) -> None:
        if self._lives:
            os.close(self._writing)
            self._lives = False


@pytest.fixture
def starter() -> Iterator[Starter]:
    starter = Starter()
    yield starter
    starter.ends()
    os.close(starter.reading)


@pytest.fixture
def family(environment: dict[str, str], tmp_path: Path, starter: Starter) -> Iterator[psutil.Process]:
    """`python -m node_a all` in a session of its own, with its three children at work."""
    assert run("migrate", environment, tmp_path).returncode == 0
    with (tmp_path / "log").open("wb") as log:
        parent = subprocess.Popen(
            [sys.executable, "-m", "node_a", "all"],
            env={**environment, "PARENT_PIPE_FD": str(starter.reading)},
            cwd=tmp_path,
            stderr=log,
            pass_fds=[starter.reading],
            start_new_session=True,
        )
        process = psutil.Process(parent.pid)
        until(lambda: {"worker is at work", "web is at work"} <= events(tmp_path))
        yield process
        for left in [*children_of(process), process]:
            if left.is_running():
                left.kill()
        parent.wait()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    text = (tmp_path / "log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def events(tmp_path: Path) -> set[str]:
    return {line["event"] for line in lines(tmp_path)}


def children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def named(process: psutil.Process, name: str) -> psutil.Process:
    return next(child for child in process.children() if child.cmdline()[-1] == name)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_all_starts_the_three_and_sigterm_ends_everything(family: psutil.Process, tmp_path: Path) -> None:
    everybody = [family, *children_of(family)]
    assert {child.cmdline()[-1] for child in family.children()} == CHILDREN

    family.terminate()

    until(lambda: all_gone(everybody))
    assert "killed: it did not stop in time" not in events(tmp_path)


def test_a_child_that_dies_is_started_again(family: psutil.Process, tmp_path: Path) -> None:
    victim = named(family, "worker")
    victim.kill()

    until(lambda: "a process ended; it is started again" in events(tmp_path))
    until(lambda: any(child.cmdline()[-1:] == ["worker"] for child in family.children() if child.pid != victim.pid))


def test_children_do_not_outlive_a_parent_that_was_killed(family: psutil.Process) -> None:
    orphans = children_of(family)
    assert len(orphans) >= 3

    family.kill()

    until(lambda: all_gone(orphans))


def test_everything_ends_when_whoever_started_it_is_gone(family: psutil.Process, starter: Starter) -> None:
    everybody = [family, *children_of(family)]

    starter.ends()

    until(lambda: all_gone(everybody))


def test_wrong_settings_are_one_line_each_and_never_a_stack_trace(environment: dict[str, str], tmp_path: Path) -> None:
    environment.update({"WEB_PORT": "eighty", "NODES__DE1__REALITY_SHORT_ID": "xyz"})
    del environment["PUBLIC_URL"]

    result = run("check", environment, tmp_path)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    problems = [line for line in result.stderr.splitlines() if line.startswith("  - ")]
    assert [problem.split()[1] for problem in problems] == ["NODES__DE1__REALITY_SHORT_ID", "PUBLIC_URL", "WEB_PORT"]


def test_a_database_that_was_not_migrated_is_said_so_and_its_remedy_works(
    environment: dict[str, str], tmp_path: Path
) -> None:
    before = run("check", environment, tmp_path)
    assert run("migrate", environment, tmp_path).returncode == 0
    after = run("check", environment, tmp_path)

    assert before.returncode == 2
    assert "run `python -m node_a migrate`" in before.stderr
    assert after.returncode == 0, after.stderr
    assert after.stdout == "Settings, plans and database are in order.\n"


def test_a_changed_key_secret_is_refused_by_name(environment: dict[str, str], tmp_path: Path) -> None:
    run("migrate", environment, tmp_path)
    run("check", environment, tmp_path)
    environment["KEY_SECRETS__1"] = "another secret than the one that made the keys"

    result = run("check", environment, tmp_path)

    assert result.returncode == 2
    assert "KEY_SECRETS__1 is not the secret that made the keys" in result.stderr


def test_a_database_without_its_driver_is_said_so(environment: dict[str, str], tmp_path: Path) -> None:
    environment["DATABASE_URL"] = "postgresql+psycopg://nobody@127.0.0.1:1/none"

    result = run("check", environment, tmp_path)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "DATABASE_URL" in result.stderr


def test_wrong_plans_and_an_unusable_database_are_both_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("plans = 1", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    environment["PLANS_FILE"] = str(tmp_path / "bad.toml")
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'folder'}"

    result = run("check", environment, tmp_path)

    assert result.returncode == 2
    assert "bad.toml: plans" in result.stderr
    assert "look at DATABASE_URL" in result.stderr
    assert "Traceback" not in result.stderr

"""Processes stop in time, start again when they die, and never outlive whoever started them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from node_a.adapters.database import engine
from node_a.adapters.database.migration import migrate_down
from node_a.bootstrap import Application
from node_a.domain.errors import LedgerUnavailable
from node_a.processes import Family
from node_a.settings import read_settings
from sandbox.shop import PROJECT, Shop
from sandbox.stand_ins import StandIns
from sandbox.state import ports_of, secrets_of
from shared.environment import ConfigurationProblems
from tests.databases import a_migrated_database, on_postgresql
from tests.waiting import until

pytestmark = pytest.mark.slow

CHILDREN = {"bot", "web", "worker"}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    ports, secrets = ports_of(tmp_path), secrets_of(tmp_path)
    shop = Shop(tmp_path, ports, secrets, StandIns(tmp_path, ports, secrets))
    return {**os.environ, **shop.settings(), "PYTHONPATH": str(PROJECT)}


@pytest.fixture
def database(environment: dict[str, str], tmp_path: Path) -> Path:
    """The shop's database, migrated."""
    file = a_migrated_database(tmp_path)
    environment["DATABASE_URL"] = f"sqlite:///{file}"
    return file


def started(command: Sequence[str], environment: dict[str, str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "node_a", *command],
        env=environment,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code, what it printed and what it complained about."""
    out, complaint = process.communicate(timeout=60)
    return process.returncode, out, complaint


def run(command: str, environment: dict[str, str], cwd: Path) -> tuple[int, str, str]:
    return ended(started(command.split(), environment, cwd))


def application(environment: dict[str, str]) -> Application:
    return Application(read_settings(environment, None))


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
def family(environment: dict[str, str], database: Path, tmp_path: Path, starter: Starter) -> Iterator[psutil.Process]:
    """`python -m node_a all` in a session of its own, with its three children at work."""
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


def test_all_starts_the_three_and_again_when_one_dies_and_ends_in_order_when_its_starter_is_gone(
    family: psutil.Process, starter: Starter, tmp_path: Path
) -> None:
    """It ends by the SIGTERM that it then sends to itself."""
    assert {child.cmdline()[-1] for child in family.children()} == CHILDREN
    victim = named(family, "worker")
    victim.kill()
    until(lambda: "a process ended; it is started again" in events(tmp_path))
    until(lambda: sum(line["event"] == "worker is at work" for line in lines(tmp_path)) == 2)
    assert named(family, "worker").pid != victim.pid
    everybody = [family, *children_of(family)]

    starter.ends()

    until(lambda: all_gone(everybody))
    assert "killed: it did not stop in time" not in events(tmp_path)


def test_children_do_not_outlive_a_parent_that_was_killed(family: psutil.Process) -> None:
    orphans = children_of(family)
    assert len(orphans) >= 3

    family.kill()

    until(lambda: all_gone(orphans))


@pytest.fixture
def signals() -> Iterator[None]:
    """A family takes the process's signals."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def a_family_whose_child(tmp_path: Path, *lives: str, healthy_after: float = 30.0) -> tuple[int, int]:
    """The family's exit code, and how often it started its one child, which lives one life after another."""
    (tmp_path / "lives").write_text("\n".join(lives), encoding="utf-8")
    script = """if True:
        import os, pathlib, signal, sys, time
        here = pathlib.Path(sys.argv[1])
        count = int((here / "count").read_text()) if (here / "count").exists() else 0
        (here / "count").write_text(str(count + 1))
        exec((here / "lives").read_text().splitlines()[count])"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    code = Family(["child"], command=lambda _: command, healthy_after=healthy_after, first_pause=0.01).run()
    return code, int((tmp_path / "count").read_text(encoding="utf-8"))


END_OF_THE_FAMILY = "os.kill(os.getppid(), signal.SIGTERM); time.sleep(30)"


@pytest.mark.usefixtures("signals")
def test_a_child_refused_its_settings_ends_the_family(tmp_path: Path) -> None:
    assert a_family_whose_child(tmp_path, "sys.exit(1)", "sys.exit(2)") == (2, 2)


@pytest.mark.usefixtures("signals")
def test_a_child_that_was_well_once_is_started_again_whatever_it_says(tmp_path: Path) -> None:
    lives = ["time.sleep(0.4)", "sys.exit(2)", "sys.exit(2)", END_OF_THE_FAMILY]

    assert a_family_whose_child(tmp_path, *lives, healthy_after=0.3) == (0, 4)


def test_wrong_settings_are_one_line_each_and_never_a_stack_trace(environment: dict[str, str], tmp_path: Path) -> None:
    environment.update({"WEB_PORT": "eighty", "NODES__DE1__REALITY_SHORT_ID": "xyz"})
    del environment["PUBLIC_URL"]

    code, _, complaint = run("check", environment, tmp_path)

    assert code == 2
    assert "Traceback" not in complaint
    problems = [line for line in complaint.splitlines() if line.startswith("  - ")]
    assert [problem.split()[1] for problem in problems] == ["NODES__DE1__REALITY_SHORT_ID", "PUBLIC_URL", "WEB_PORT"]


def test_a_database_that_was_not_migrated_is_said_so_and_its_remedy_works(
    environment: dict[str, str], tmp_path: Path
) -> None:
    before = run("check", environment, tmp_path)
    assert run("migrate", environment, tmp_path)[:2] == (0, "The database is at this release.\n")
    after = run("check", environment, tmp_path)

    assert before[0] == 2
    assert "run `python -m node_a migrate`" in before[2]
    assert after[0] == 0
    assert after[1].startswith("Settings, plans and database are in order.\n")
    assert after[2] == ""
    assert rows(tmp_path / "node_a.db", "SELECT * FROM key_secrets") == [], "a check writes nothing"


def test_a_database_that_cannot_be_opened_is_one_line_and_may_pass(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    impossible = {**environment, "DATABASE_URL": f"sqlite:///{tmp_path / 'file' / 'node_a.db'}"}
    unopenable = {**environment, "DATABASE_URL": f"sqlite:///{tmp_path / 'folder'}"}

    commands = [("migrate", impossible), ("migrate", unopenable), ("worker", impossible), ("check", unopenable)]
    processes = [started([command], given, tmp_path) for command, given in commands]

    for code, out, complaint in map(ended, processes):
        assert (code, out) == (1, "")
        [line] = complaint.splitlines()
        assert "look at DATABASE_URL" in line


def test_a_rollback_works_with_the_later_releases_database(
    environment: dict[str, str], database: Path, tmp_path: Path
) -> None:
    write(database, "UPDATE alembic_version SET version_num = '9999'")
    migrating, checking = (started([command], environment, tmp_path) for command in ("migrate", "check"))

    code, said, _ = ended(migrating)
    assert code == 0
    [line] = said.splitlines()
    assert "later release" in line
    code, _, log = ended(checking)
    assert code == 0
    [warning] = [json.loads(line) for line in log.splitlines()]
    assert (warning["level"], warning["revision"]) == ("warning", "9999")
    assert rows(database, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_maintainer_is_told_that_no_migration_is_needed_without_any_settings(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}

    code, said, complaint = ended(started(["migration", "needless"], environment, tmp_path))

    assert (code, complaint) == (0, "")
    assert said == "Nothing differs between the tables in the code and the migrations: no file was written.\n"


# ── the checks before the start, without a process around them ──


def a_subscription(revision: int, number: int = 1) -> str:
    columns = "id, customer_id, secret_number, rotation, revision"
    return f"INSERT INTO subscriptions ({columns}) VALUES ('{number:032x}', {number}, 1, 0, {revision})"


def a_customer(number: int = 1) -> str:
    return f"INSERT INTO customers (id, language, standing, reachable) VALUES ({number}, 'ru', 'good', 1)"


def write(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(database: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def test_a_changed_key_secret_in_use_is_refused_by_name(environment: dict[str, str], database: Path) -> None:
    application(environment).check(remember=True)
    write(
        database,
        a_customer(),
        a_subscription(revision=1),
    )
    application(environment).check(remember=True)
    environment["KEY_SECRETS__1"] = "another secret than the one that made the keys"

    with pytest.raises(ConfigurationProblems, match="KEY_SECRETS__1 is not the secret that made the keys"):
        application(environment).check(remember=True)


def test_while_somebody_writes_a_check_passes_and_a_new_secret_waits_for_its_turn(
    environment: dict[str, str], database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        application(environment).check(remember=False)
        with pytest.raises(LedgerUnavailable, match="locked"):
            application(environment).check(remember=True)

    application(environment).check(remember=True)
    assert len(rows(database, "SELECT * FROM key_secrets")) == 1


@on_postgresql
def test_a_check_on_postgresql_passes_once_it_is_migrated(environment: dict[str, str], database_url: str) -> None:
    environment["DATABASE_URL"] = database_url
    shop = application(environment)
    migrate_down(shop.engine, "base")
    with pytest.raises(ConfigurationProblems, match="node_a migrate"):
        shop.check(remember=True)

    assert "at this release" in shop.migrate()
    shop.check(remember=True)
    shop.engine.dispose()


def test_a_database_server_that_is_away_is_named_without_its_password(environment: dict[str, str]) -> None:
    environment["DATABASE_URL"] = "postgresql+psycopg://nobody:correct-horse@127.0.0.1:1/none"

    with pytest.raises(LedgerUnavailable, match="look at DATABASE_URL") as away:
        application(environment).check(remember=False)

    assert "correct-horse" not in str(away.value) + repr(away.value.__cause__)


def test_a_file_that_is_no_database_does_not_pass_by_itself(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "node_a.db").write_bytes(b"not a database" * 100)

    with pytest.raises(ConfigurationProblems, match="look at DATABASE_URL"):
        application(environment).check(remember=False)


def test_wrong_plans_and_an_unusable_database_are_both_named(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("plans = 1", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    environment["PLANS_FILE"] = str(tmp_path / "bad.toml")
    environment["DATABASE_URL"] = f"sqlite:///{tmp_path / 'folder'}"

    with pytest.raises(ConfigurationProblems) as caught:
        application(environment).check(remember=False)

    [plans, database] = caught.value.problems
    assert "bad.toml: plans" in plans
    assert "look at DATABASE_URL" in database


def test_a_migration_that_leaves_rows_pointing_nowhere_is_said_so(environment: dict[str, str], database: Path) -> None:
    write(database, a_subscription(revision=0))

    with pytest.raises(ConfigurationProblems, match="nothing was changed"):
        application(environment).migrate()


def test_strangers_learn_no_more_than_that_the_database_is_away(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "node_a.db").mkdir()

    assert application(environment)._is_ready() == "the database cannot be read now (OperationalError)"


# ── the keys of everybody come from another secret ──

NEXT_SECRET = "the obviously fake secret that follows the first one"
HOW_FAR = "SELECT secret_number, rotation, count(*) FROM subscriptions GROUP BY 1, 2 ORDER BY 1"


def with_subscriptions(environment: dict[str, str], database: Path, count: int) -> None:
    """Sold with the first secret; then the second was added, and the processes were started with it."""
    application(environment).check(remember=True)
    numbers = range(1, count + 1)
    write(database, *map(a_customer, numbers), *(a_subscription(1, number) for number in numbers))
    environment["KEY_SECRETS__2"] = NEXT_SECRET
    application(environment).check(remember=True)


def test_rotate_secret_moves_everybody_and_says_when_the_old_secret_may_go(
    environment: dict[str, str], database: Path, tmp_path: Path
) -> None:
    with_subscriptions(environment, database, 5)

    code, said, complaint = run("rotate-secret --batch 2", environment, tmp_path)

    assert (code, complaint) == (0, "")
    assert said.splitlines()[:4] == [
        "Subscriptions to move to KEY_SECRETS__2: 5. This can be stopped and repeated at any moment.",
        "2 moved, 3 left",
        "4 moved, 1 left",
        "5 moved, 0 left",
    ]
    assert rows(database, HOW_FAR) == [(2, 1, 5)]
    checked = run("check", environment, tmp_path)[1]
    assert "No keys are made from KEY_SECRETS__1 any more: it may be removed." in checked
    del environment["KEY_SECRETS__1"]
    application(environment).check(remember=True)
    environment["KEY_SECRETS__2"] = NEXT_SECRET[::-1]
    with pytest.raises(ConfigurationProblems, match="KEY_SECRETS__2 is not the secret that made the keys"):
        application(environment).check(remember=True)


def test_rotate_secret_that_is_killed_goes_on_where_it_was(
    environment: dict[str, str], database: Path, tmp_path: Path
) -> None:
    everybody = 400
    with_subscriptions(environment, database, everybody)
    process = started(["rotate-secret", "--batch", "1"], environment, tmp_path)
    assert process.stdout is not None
    until_it_has_moved_some = iter(process.stdout.readline, "")
    assert any("moved" in line for line in until_it_has_moved_some)
    process.kill()
    process.communicate(timeout=60)
    in_between = {(secret, rotation): count for secret, rotation, count in rows(database, HOW_FAR)}
    assert in_between.keys() == {(1, 0), (2, 1)}, "killed in the middle"
    assert run("check", environment, tmp_path)[1].startswith("Settings, plans and database are in order.\nTelegram:")

    code, said, _ = run("rotate-secret", environment, tmp_path)

    assert code == 0
    assert said.startswith(f"Subscriptions to move to KEY_SECRETS__2: {in_between[1, 0]}.")
    assert rows(database, HOW_FAR) == [(2, 1, everybody)], "and nobody twice"


def test_rotate_secret_does_nothing_with_one_secret_or_with_one_that_nothing_runs_with(
    environment: dict[str, str], database: Path, tmp_path: Path
) -> None:
    application(environment).check(remember=True)
    write(database, a_customer(), a_subscription(revision=1))

    code, said, complaint = run("rotate-secret", environment, tmp_path)
    assert (code, said) == (2, "")
    assert "KEY_SECRETS__1 is the only one" in complaint

    environment["KEY_SECRETS__2"] = NEXT_SECRET
    for _ in range(2):
        code, said, complaint = run("rotate-secret", environment, tmp_path)
        assert (code, said) == (2, "")
        assert "nothing runs with KEY_SECRETS__2 yet: restart bot, web and worker" in complaint
    assert rows(database, HOW_FAR) == [(1, 0, 1)]


def test_rotate_secret_with_another_first_secret_is_refused_by_name(
    environment: dict[str, str], database: Path, tmp_path: Path
) -> None:
    with_subscriptions(environment, database, 1)
    environment["KEY_SECRETS__1"] = "another secret than the one that made the keys"

    code, _, complaint = run("rotate-secret", environment, tmp_path)

    assert code == 2
    assert "KEY_SECRETS__1 is not the secret that made the keys in use" in complaint
    assert rows(database, HOW_FAR) == [(1, 0, 1)]

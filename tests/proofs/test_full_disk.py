"""The database's disk is full, read-only or locked, or the log's disk is full: nothing is lost, nobody is told a lie,
and everything goes on when there is room."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import httpx
import pytest
import structlog
from sqlalchemy import event, text

from node_a.adapters.database.agenda import SqlAgenda
from node_a.adapters.database.ledger import Database
from node_a.adapters.database.room import lacks_room
from node_a.application.ports import Activity, Ledger
from node_a.domain.customer import CustomerId
from node_a.domain.errors import LedgerUnavailable
from node_a.domain.payment import Outcome, Payment
from sandbox.customer import Customer, keys_and_link, web_app_url
from sandbox.shop import Shop, running_shop
from tests.builders import ANNA, DAY, MONTH
from tests.databases import a_migrated_database
from tests.fakes.ports import FakeProvider
from tests.fakes.shop import LEASE, ShopUnderTest
from tests.node_a.web.shop import PROVIDER_ADDRESS, tma
from tests.node_a.worker.test_worker import a_worker
from tests.proofs.edges import pages, working
from tests.waiting import until, until_in_thread

T = TypeVar("T")

ROOT: Final = Path(__file__).parents[2]
BORIS: Final = CustomerId(7_000_000_002)


@dataclass(frozen=True)
class SmallDisk:
    path: Path

    @property
    def _junk(self) -> Path:
        return self.path / "junk"

    def fill(self) -> None:
        """To the last byte, what SQLite keeps in reserve for its next transactions included."""
        self._write_junk()
        for database in self.path.glob("*.db"):
            # With no room for its shared memory either, there is no reserve.
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._write_junk()

    def _write_junk(self) -> None:
        with self._junk.open("ab", buffering=0) as junk:
            for size in (1 << 16, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        junk.write(bytes(size))

    def gets_room(self) -> None:
        self._junk.unlink()

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)


@contextmanager
def a_small_disk(path: Path) -> Iterator[SmallDisk]:
    path.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", path], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk cannot be mounted here: that takes root")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with a_small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def shop(disk: SmallDisk) -> Iterator[ShopUnderTest]:
    """On that disk, and with less patience for a lock than usual."""
    shop = ShopUnderTest(f"sqlite:///{a_migrated_database(disk.path)}")
    event.listen(shop.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 3000"))
    yield shop
    shop.close()


# ── what may be wrong with a database ──

Trouble = Callable[[SmallDisk, ShopUnderTest], AbstractContextManager[None]]


@contextmanager
def full(disk: SmallDisk, shop: ShopUnderTest) -> Iterator[None]:
    disk.fill()
    yield
    disk.gets_room()


@contextmanager
def full_at_the_start(disk: SmallDisk, shop: ShopUnderTest) -> Iterator[None]:
    """Nothing has it open: not even SQLite's shared memory has room."""
    shop.close()
    disk.fill()
    yield
    disk.gets_room()


@contextmanager
def read_only(disk: SmallDisk, shop: ShopUnderTest) -> Iterator[None]:
    """As after an error of the disk itself."""
    shop.close()
    disk.remount("ro")
    try:
        yield
    finally:
        shop.close()
        disk.remount("rw")


LOCK: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@contextmanager
def locked(disk: SmallDisk, shop: ShopUnderTest) -> Iterator[None]:
    """By another process, for longer than anybody waits."""
    with subprocess.Popen(
        [sys.executable, "-c", LOCK, disk.path / "shop.db"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            other.communicate()


troubles = pytest.mark.parametrize("trouble", [full, full_at_the_start, read_only, locked])


# ── what can be seen ──


def grants(shop: ShopUnderTest) -> int:
    with shop.engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM grants")).scalar_one())


def webhook(shop: ShopUnderTest, payment: Payment) -> Any:
    notification = {"type": "notification", "event": "payment.succeeded", "object": {"id": payment.provider_id}}
    from_there = {"REMOTE_ADDR": PROVIDER_ADDRESS}
    return pages(shop).post("/webhooks/yookassa", json=notification, environ_base=from_there)


def tap(shop: ShopUnderTest) -> Any:
    return pages(shop).post("/app/payments", json={"plan": MONTH.code}, headers=tma(ANNA.id, at=shop.now))


# ── the edges ──


@troubles
def test_a_webhook_that_cannot_be_noted_is_answered_503_and_its_redelivery_settles_once(
    shop: ShopUnderTest, disk: SmallDisk, trouble: Trouble
) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)

    with trouble(disk, shop), structlog.testing.capture_logs() as lines:
        refused = webhook(shop, payment)
    received = webhook(shop, payment)
    shop.works()
    shop.passes(DAY)
    shop.works()

    assert (refused.status_code, refused.data) == (503, b"")
    (line,) = [line for line in lines if line["event"] == "a webhook could not be noted"]
    assert (line["log_level"], "exc_info" in line) == ("warning", False), "a trace each time fills the disk even more"
    assert received.status_code == 200
    assert shop.letters() == ["KeysReady"]
    assert grants(shop) == 1


def test_a_webhook_that_never_comes_again_costs_only_time(shop: ShopUnderTest, disk: SmallDisk) -> None:
    payment = shop.chooses()
    shop.provider.pays(payment)
    with full(disk, shop):
        assert webhook(shop, payment).status_code == 503
        shop.passes(timedelta(hours=8))

    shop.works()

    assert shop.letters() == ["KeysReady"]
    assert grants(shop) == 1


@troubles
def test_the_mini_app_asks_to_try_again_and_the_provider_hears_of_nothing(
    shop: ShopUnderTest, disk: SmallDisk, trouble: Trouble
) -> None:
    shop.registers()

    with trouble(disk, shop):
        refused = tap(shop)
        asked = list(shop.provider.creations)
    served = tap(shop)

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "3"
    assert 'data-problem="busy"' in refused.text
    assert "Traceback" not in refused.text
    assert asked == [], "a payment that is not in our books"
    assert served.status_code == 201
    assert len(shop.provider.payments) == 1


def test_who_has_keys_can_still_see_them(shop: ShopUnderTest, disk: SmallDisk) -> None:
    shop.buys_and_gets()

    with full(disk, shop):
        home = pages(shop).get("/app/home", headers=tma(ANNA.id, "ru", at=shop.now))

    assert home.status_code == 200
    assert "vless://" in home.text


# ── between the steps ──


@dataclass
class FillingProvider(FakeProvider):
    """Does its work; and meanwhile the disk has become full."""

    disk: SmallDisk | None = None

    def create(self, payment: Payment) -> Outcome:
        outcome = super().create(payment)
        if self.disk is not None:
            self.disk.fill()
        return outcome


def test_a_disk_that_is_full_when_the_provider_answers_costs_a_tap_and_no_second_payment(
    shop: ShopUnderTest, disk: SmallDisk
) -> None:
    shop.provider = provider = FillingProvider(disk=disk)
    shop.open_payment = replace(shop.open_payment, provider=provider)
    shop.registers()

    refused = tap(shop)
    provider.disk = None
    disk.gets_room()
    served = tap(shop)

    assert (refused.status_code, served.status_code) == (503, 201)
    assert len(provider.payments) == 1
    (first, again) = provider.creations
    assert first == again, "repeated with another key or body"


Claim = Callable[[Ledger], Any]
STEPS: Final[dict[str, Callable[[ShopUnderTest], tuple[Claim, Callable[[Any], object]]]]] = {
    "settle": lambda shop: (
        lambda ledger: ledger.payments.claim_due(shop.now, shop.now + LEASE, 10),
        shop.settle_payment,
    ),
    "provide": lambda shop: (
        lambda ledger: ledger.accesses.claim_due(shop.now, shop.now + LEASE, 10),
        lambda claim: asyncio.run(shop.provide_access(claim)),
    ),
    "deliver": lambda shop: (
        lambda ledger: ledger.messages.claim_due(shop.now, shop.now + LEASE, 10),
        lambda claim: asyncio.run(shop.deliver_message(claim)),
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_work_that_was_taken_when_the_disk_became_full_is_done_again_after_its_lease(
    shop: ShopUnderTest, disk: SmallDisk, step: str
) -> None:
    shop.buys()
    for verb in {"settle": [], "provide": [shop.settles], "deliver": [shop.settles, shop.provides]}[step]:
        assert verb() == []
    claim_due, work = STEPS[step](shop)
    claim, *_ = shop.database.write(claim_due)

    with full(disk, shop), pytest.raises(LedgerUnavailable):
        work(claim)
    assert not shop.database.write(claim_due), "it is leased; nobody took the lease back"
    shop.passes(LEASE)
    shop.works()
    shop.passes(DAY)
    shop.works()

    assert grants(shop) == 1
    assert len(shop.node.holds) == 2
    # Telegram cannot be asked what it has sent: what could not be recorded is said again, and never lost.
    assert shop.letters().count("KeysReady") == (2 if step == "deliver" else 1)


# ── the worker ──


class CountingDatabase(Database):
    """How often it could not be written."""

    failures = 0

    def write(self, work: Callable[[Ledger], T]) -> T:
        try:
            return super().write(work)
        except LedgerUnavailable:
            self.failures += 1
            raise


class CountingAgenda(SqlAgenda):
    """How often it was read."""

    looks = 0

    def due(self, now: datetime) -> frozenset[Activity]:
        self.looks += 1
        return super().due(now)


def keys_and_a_check_are_due(shop: ShopUnderTest) -> None:
    shop.buys(MONTH, BORIS)
    shop.settles()
    shop.buys()


async def test_a_worker_neither_ends_nor_fills_its_log(shop: ShopUnderTest, disk: SmallDisk) -> None:
    await asyncio.to_thread(keys_and_a_check_are_due, shop)
    shop.database = database = CountingDatabase(shop.engine)

    await asyncio.to_thread(disk.fill)
    with structlog.testing.capture_logs() as lines:
        async with working(shop):
            await until_in_thread(lambda: database.failures >= 8)
            complaints = [line for line in lines if line["event"] in {"no work can be taken", "not now"}]
            await asyncio.to_thread(disk.gets_room)
            await until_in_thread(lambda: shop.letters().count("KeysReady") == 2)

    assert sorted(line["activity"] for line in complaints) == ["provide", "settle"]
    assert "disk is full" in complaints[0]["problem"]
    assert await asyncio.to_thread(grants, shop) == 2


async def test_a_worker_tries_once_in_a_pause_however_often_it_sees_what_is_due(
    shop: ShopUnderTest, disk: SmallDisk
) -> None:
    await asyncio.to_thread(keys_and_a_check_are_due, shop)
    shop.database = database = CountingDatabase(shop.engine)
    agenda = CountingAgenda(shop.engine)
    worker = a_worker(shop, agenda=agenda, look=0.0, tick=0.0, observe_every=3600.0)
    for desk in worker.desks:
        desk.pause_without_a_ledger = 3600.0

    await asyncio.to_thread(disk.fill)
    running = asyncio.create_task(worker.run(asyncio.Event()))
    await until_in_thread(lambda: agenda.looks >= 100)
    running.cancel()
    agenda.close()

    # The desks that have work: for payments, and for each of the node's two keepers; and whoever notes that the nodes
    # were observed.
    assert database.failures == 4


@pytest.mark.parametrize("trouble", [full_at_the_start, read_only, locked])
async def test_a_worker_waits_for_a_database_that_is_not_there_yet(
    shop: ShopUnderTest, disk: SmallDisk, trouble: Trouble
) -> None:
    await asyncio.to_thread(shop.buys)
    with structlog.testing.capture_logs() as lines, ExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, trouble(disk, shop))
        async with working(shop):
            await until_in_thread(lambda: any("problem" in line for line in lines))
            await asyncio.to_thread(stack.close)
            await until_in_thread(lambda: shop.letters() == ["KeysReady"])

    assert {line["log_level"] for line in lines} <= {"info", "warning"}
    assert await asyncio.to_thread(grants, shop) == 1


# ── readiness ──


def test_readiness_names_a_disk_that_is_full_or_read_only(shop: ShopUnderTest, disk: SmallDisk) -> None:
    assert lacks_room(shop.engine) is None
    with full(disk, shop):
        assert lacks_room(shop.engine) == "the disk is full"
    assert lacks_room(shop.engine) is None
    with read_only(disk, shop):
        assert lacks_room(shop.engine) == "the disk is read-only"


# ── the log ──

TALKATIVE: Final = """
import sys, shared.logs, structlog, warnings
shared.logs.configure(process="web", format="json", level="info", secrets=[])
log = structlog.get_logger("web")
for text in sys.stdin:
    log.info(text.strip(), padding="x" * 500)
    try:
        raise RuntimeError(text.strip())
    except RuntimeError:
        log.exception("failed")
    print("went on", flush=True)
"""


def test_a_full_disk_under_the_log_stops_nobody_and_afterwards_says_how_much_is_missing(disk: SmallDisk) -> None:
    log = disk.path / "shop.log"
    with log.open("ab") as errors, a_talkative_process(errors) as say:
        say("before")
        disk.fill()
        for _ in range(50):
            say("nobody will read this")
        disk.gets_room()
        say("after")
        say("and again")

    lines = [line for line in log.read_text().splitlines() if line]
    first_after = next(number for number, line in enumerate(lines) if '"event": "after"' in line)
    written = [json.loads(line) for line in lines[first_after:]]
    assert [line["event"] for line in written] == [
        "after",
        "log lines could not be written and are lost",
        "failed",
        "and again",
        "failed",
    ]
    # What was left of the last page may have taken a few.
    assert 90 <= written[1]["lost"] <= 100
    assert json.loads(lines[0])["event"] == "before"


@contextmanager
def a_talkative_process(errors: IO[bytes]) -> Iterator[Callable[[str], None]]:
    with subprocess.Popen(
        [sys.executable, "-c", TALKATIVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        bufsize=1,
        cwd=ROOT,
    ) as process:

        def say(words: str) -> None:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(words + "\n")
            assert process.stdout.readline() == "went on\n"

        yield say
        process.communicate()
    assert process.returncode == 0


# ── the whole shop ──


def says(words: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    def message_with_the_words(message: dict[str, Any]) -> dict[str, Any] | None:
        return message if words in message.get("text", "") else None

    return message_with_the_words


@contextmanager
def a_shop_on_small_disks(directory: Path, data: SmallDisk, logs: SmallDisk) -> Iterator[Shop]:
    directory.mkdir()
    (directory / "node_a.log").symlink_to(logs.path / "node_a.log")
    with running_shop(directory, {"DATABASE_URL": f"sqlite:///{data.path / 'node_a.db'}"}) as shop:
        yield shop


def refused_webhooks(shop: Shop) -> list[Any]:
    deliveries = httpx.get(f"{shop.yookassa_url}/sandbox/webhooks", trust_env=False).json()
    assert {delivery["status"] for delivery in deliveries} <= {503, 200}
    return [delivery for delivery in deliveries if delivery["status"] == 503]


def readiness(shop: Shop) -> tuple[int, str]:
    answer = httpx.get(f"{shop.web_url}/readyz", trust_env=False)
    return answer.status_code, answer.text.strip()


def tap_on_a_plan(customer: Customer) -> httpx.Response:
    customer.write("/start")
    init_data, page = customer.open_mini_app(customer.wait_for(web_app_url))
    order = {"plan": "year"}
    return httpx.post(f"{page}/payments", headers={"Authorization": f"tma {init_data}"}, json=order, trust_env=False)


@pytest.mark.slow
def test_a_night_with_full_disks(tmp_path: Path) -> None:
    """Real processes: the database on one small disk, the log on another."""
    with ExitStack() as stack:
        data = stack.enter_context(a_small_disk(tmp_path / "data"))
        logs = stack.enter_context(a_small_disk(tmp_path / "logs"))
        shop = stack.enter_context(a_shop_on_small_disks(tmp_path / "shop", data, logs))
        anna = stack.enter_context(closing(Customer(shop)))
        boris = stack.enter_context(closing(Customer(shop, BORIS)))
        payment = anna.choose("month")

        data.fill()
        anna.pay(payment)
        until(lambda: len(refused_webhooks(shop)) >= 2)
        assert readiness(shop) == (503, "not ready: the disk is full")
        boris.write("/start")
        assert boris.wait_for(says("У нас что-то сломалось"))
        tapped = tap_on_a_plan(anna)
        assert (tapped.status_code, 'data-problem="busy"' in tapped.text) == (503, True)

        data.gets_room()
        keys, _ = anna.wait_for(keys_and_link)
        assert sorted(key.partition("://")[0] for key in keys) == ["ss", "vless"]
        assert readiness(shop) == (200, "ready")
        log_of_the_night = shop.log.read_text()

        logs.fill()
        assert len(boris.buy("month").keys) == 2
        boris.write("/my")  # the purchase has used up what was left of the log's last page
        assert boris.wait_for(keys_and_link)
        logs.gets_room()
        boris.write("/my")
        assert boris.wait_for(keys_and_link)
        until(lambda: "are lost" in shop.log.read_text())

        with closing(sqlite3.connect(data.path / "node_a.db")) as database:
            (made,) = database.execute("SELECT count(*) FROM grants WHERE source LIKE 'payment:%'").fetchone()
        assert made == 2, "one for Anna, one for Boris"

    assert "Traceback" not in log_of_the_night
    assert "a process ended" not in log_of_the_night
    assert [json.loads(line)["level"] for line in log_of_the_night.splitlines() if '"error"' in line] == []

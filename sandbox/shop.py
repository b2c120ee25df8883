"""The whole shop on this machine: the stand-ins, and Node A as its operator would start it."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import httpx

from sandbox.nodes import NODES, node_settings
from sandbox.stand_ins import BOT_USERNAME, OUTLINE_PORT, SHOP_ID, StandIns
from sandbox.state import SECRETS_FILE, Ports, Secrets, keep_ports, ports_of, secrets_of

PROJECT: Final = Path(__file__).resolve().parent.parent
# How long Node A may take until it answers and polls: two slow cores, cold caches.
STARTS_WITHIN: Final = 45.0
_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHON", "COV", "LOG_LEVEL")
# Node A ends itself hard ten seconds after it was told to stop.
STOPS_WITHIN: Final = 20.0

GRACE_DAYS: Final = 1

# `python -m node_a COMMAND`, started.
StartNodeA = Callable[[str], subprocess.Popen[bytes]]


class ShopDidNotStart(Exception):
    """Node A ended or did not answer; its log says why."""


class Shop:
    """Addresses of a running sandbox. `log`: what Node A wrote; `node_urls`: by code."""

    def __init__(self, directory: Path, ports: Ports, secrets: Secrets, stand_ins: StandIns) -> None:
        self.directory = directory
        self.secrets = secrets
        self.stand_ins = stand_ins
        self.chat_url = f"http://127.0.0.1:{ports.chat}"
        self.yookassa_url = f"http://127.0.0.1:{ports.yookassa}"
        self.web_url = f"http://127.0.0.1:{ports.web}"
        self.log = directory / "node_a.log"
        self._ports = ports

    @property
    def node_urls(self) -> dict[str, str]:
        return {code: f"http://127.0.0.1:{port}" for code, port in self._ports.nodes.items()}

    def add_node(self) -> str:
        """One more stand-in; its code. Node A hears of it when it is started the next time."""
        code = next(code for code in NODES if code not in self._ports.nodes)
        self._ports = self._ports.with_nodes([code])
        keep_ports(self.directory, self._ports)
        self.secrets = secrets_of(self.directory, [code])
        self.stand_ins.add_nodes(self._ports, self.secrets)
        return code

    def settings(self) -> dict[str, str]:
        """Node A's settings, as its operator would write them into `.env`."""
        secrets = self.secrets
        return {
            "DATABASE_URL": f"sqlite:///{self.directory / 'node_a.db'}",
            "LOG_FORMAT": "json",
            "TELEGRAM_BOT_TOKEN": secrets.bot_token,
            "TELEGRAM_BOT_USERNAME": BOT_USERNAME,
            "TELEGRAM_API_URL": self.chat_url,
            "TELEGRAM_LINK_URL": self.chat_url,
            "TELEGRAM_SCRIPT_URL": f"{self.chat_url}/telegram-web-app.js",
            "OPERATORS": "1",
            "SUPPORT_CONTACT": "@qent_sandbox_support",
            "PUBLIC_URL": self.web_url,
            "WEB_PORT": str(self._ports.web),
            "FRAME_ANCESTORS": self.chat_url,
            "YOOKASSA_SHOP_ID": SHOP_ID,
            "YOOKASSA_SECRET_KEY": secrets.yookassa_secret_key,
            "YOOKASSA_API_URL": f"{self.yookassa_url}/v3",
            "YOOKASSA_TEST_SHOP": "true",
            "YOOKASSA_WEBHOOK_NETWORKS": "127.0.0.0/8",
            "PLANS_FILE": str(PROJECT / "plans.toml"),
            "KEY_SECRETS__1": secrets.key_secret,
            "GRACE_DAYS": str(GRACE_DAYS),
            **{
                name: value
                for code, url in self.node_urls.items()
                for name, value in node_settings(code, url, secrets.nodes[code]).items()
            },
            **{f"NODES__{code.upper()}__OUTLINE_PORT": str(OUTLINE_PORT) for code in self.stand_ins.outline},
        }

    def wait_until_ready(self, *processes: subprocess.Popen[bytes]) -> None:
        """`processes`: those of Node A. Raises ShopDidNotStart."""
        deadline = time.monotonic() + STARTS_WITHIN
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not self._is_ready(client):
                for node_a in processes:
                    if node_a.poll() is not None:
                        raise ShopDidNotStart(f"Node A ended with code {node_a.returncode}; see {self.log}")
                if time.monotonic() > deadline:
                    raise ShopDidNotStart(f"Node A was not ready after {STARTS_WITHIN:.0f} s; see {self.log}")
                time.sleep(0.1)

    def _is_ready(self, client: httpx.Client) -> bool:
        try:
            if client.get(f"{self.web_url}/readyz").status_code != httpx.codes.OK:
                return False
            calls = client.get(f"{self.chat_url}/sandbox/calls").json()
        except httpx.TransportError:
            return False
        # The last thing that the bot does before it listens; a long poll itself is written down only when it ends.
        return any(call["method"] == "setChatMenuButton" for call in calls)


def begin_anew(directory: Path) -> None:
    """Forgets what an earlier start left. Raises ShopDidNotStart for a directory that holds something else."""
    if directory.exists() and any(directory.iterdir()) and not (directory / SECRETS_FILE).exists():
        raise ShopDidNotStart(f"{directory} holds something that is not a sandbox's; it is left alone")
    shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def running_shop(directory: Path, extra_settings: Mapping[str, str] | None = None, *, nodes: int = 1) -> Iterator[Shop]:
    """Stand-ins and Node A, ready for customers; all ended afterwards. What `directory` holds from an earlier start is
    there again, its nodes too: `nodes` is how many there are at least. Raises ShopDidNotStart."""
    with shop_without_node_a(directory, nodes=nodes) as shop, migrated_node_a(shop, extra_settings or {}) as start:
        node_a = start("all")
        try:
            shop.wait_until_ready(node_a)
            yield shop
        finally:
            end(node_a)


@contextlib.contextmanager
def shop_without_node_a(directory: Path, *, nodes: int = 1) -> Iterator[Shop]:
    """The stand-ins alone. Raises ShopDidNotStart."""
    codes = list(NODES)[:nodes]
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with _alone_in(directory):
        ports, secrets = ports_of(directory, codes), secrets_of(directory, codes)
        stand_ins = StandIns(directory, ports, secrets)
        stand_ins.start()
        try:
            yield Shop(directory, ports, secrets, stand_ins)
        finally:
            stand_ins.stop()


@contextlib.contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Two shops on the same database would both be right and both be wrong."""
    with (directory / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ShopDidNotStart(f"one is running in {directory} already") from None
        yield


@contextlib.contextmanager
def migrated_node_a(shop: Shop, extra_settings: Mapping[str, str]) -> Iterator[StartNodeA]:
    """What starts Node A's commands, on a database that is up to date; whoever starts one ends it. Each reads the
    settings as they are when it starts. All of them write into the shop's log, and none outlives us. Raises
    ShopDidNotStart."""
    reading, writing = os.pipe()  # closes with us, even if we are killed: Node A ends then
    with shop.log.open("ab") as log:

        def start(command: str) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-m", "node_a", command],
                env={**_environment(shop), **extra_settings, "PARENT_PIPE_FD": str(reading)},
                cwd=shop.directory,  # where no operator's .env lies
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[reading],
                start_new_session=True,  # Ctrl-C is for us: we end it in order
            )

        try:
            if start("migrate").wait() != 0:
                raise ShopDidNotStart(f"the database could not be migrated; see {shop.log}")
            yield start
        finally:
            os.close(writing)
            os.close(reading)


def _environment(shop: Shop) -> dict[str, str]:
    # Hardly any of our own: no exported setting, perhaps of a real node, must mix in.
    inherited = {name: value for name, value in os.environ.items() if name.startswith(_INHERITED)}
    return {**inherited, **shop.settings(), "PYTHONPATH": str(PROJECT)}


def end(process: subprocess.Popen[bytes]) -> None:
    """Tells it to stop, and kills it if it does not."""
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

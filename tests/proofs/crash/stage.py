"""The stand-ins around one case, which survive every crash, and the child that crashes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from sandbox.stand_ins import SHOP_ID, StandIns
from sandbox.state import Ports, Secrets
from tests.builders import ANNA
from tests.proofs.crash.job import Job, Report, World

ROOT: Final = Path(__file__).parents[3]


@dataclass(frozen=True)
class Child:
    """Runs jobs, each in a process of its own."""

    process: subprocess.Popen[str]

    def run(self, job: Job) -> Report:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps(job.as_json()), file=self.process.stdin, flush=True)
        said = self.process.stdout.readline()
        if not said:
            raise RuntimeError(f"the child has ended with {self.process.wait()}; its log says why")
        return Report(**json.loads(said))


@contextmanager
def running_child(log: Path) -> Iterator[Child]:
    command = [sys.executable, "-m", "tests.proofs.crash.child"]
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        yield Child(process)  # leaving closes its standard input, and with that it ends


@dataclass(frozen=True)
class Stage:
    """The outer world of one case, as it can be seen from outside."""

    world: World
    http: httpx.Client

    def payments(self) -> list[dict[str, Any]]:
        """What the provider knows, the oldest first."""
        world = self.world
        answer = self.http.get(
            f"{world.yookassa_url}/v3/payments",
            params={"limit": 100},
            auth=(SHOP_ID, world.yookassa_secret_key),
        )
        return list(reversed(answer.raise_for_status().json()["items"]))

    def letters_with_keys(self) -> list[str]:
        """Those in the customer's chat."""
        answer = self.http.get(f"{self.world.telegram_url}/sandbox/chats/{ANNA.id}/messages")
        texts = [message.get("text", "") for message in answer.raise_for_status().json()["messages"]]
        return [text for text in texts if "vless://" in text or "ss://" in text]

    def users(self, part: str) -> dict[str, dict[str, Any]]:
        """What the panel ("marzban") or the agent holds."""
        answer = self.http.get(f"{self.world.node_url}/sandbox/{part}/users")
        return dict(answer.raise_for_status().json())


@contextmanager
def staged(directory: Path, database_url: str) -> Iterator[Stage]:
    """Fresh stand-ins, and a customer who has written to the bot."""
    ports, secrets = Ports.free(), Secrets.new()
    stand_ins = StandIns(directory, ports, secrets)
    stand_ins.troubles.lose_next_webhook = True  # nobody listens: the run nudges by itself
    stand_ins.start()
    try:
        with httpx.Client(trust_env=False, verify=False, timeout=30) as http:
            world = World(
                database_url=database_url,
                telegram_url=f"http://127.0.0.1:{ports.chat}",
                yookassa_url=f"http://127.0.0.1:{ports.yookassa}",
                node_url=f"http://127.0.0.1:{ports.nodes['de1']}",
                bot_token=secrets.bot_token,
                yookassa_secret_key=secrets.yookassa_secret_key,
                panel_password=secrets.nodes["de1"].panel_password,
                agent_token=secrets.nodes["de1"].agent_token,
            )
            chat = f"{world.telegram_url}/sandbox/chats/{ANNA.id}/messages"
            http.post(chat, json={"text": "/start", "language_code": "ru"}).raise_for_status()
            yield Stage(world, http)
    finally:
        stand_ins.stop()

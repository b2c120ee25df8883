"""The panel's core, real: one thread does to it what the panel says, in order, after the panel has answered.

As in the original, what the core refuses is not told to whoever called the panel.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from sandbox.marzban.cores import CoreUser, Managing
from sandbox.marzban.xray.config import Config, panel_config
from sandbox.marzban.xray.control import Control, CoreRefused
from sandbox.marzban.xray.process import Process, free_port

# Seconds between two rounds of the original's jobs.
ROUND: Final = 10.0
_log: Final = logging.getLogger(__name__)


class XrayCore:
    """Runs while it is attended. `config`: the operator's; `log`: what the core writes."""

    def __init__(self, program: Path, config: Config, log: Path) -> None:
        self._config = config
        self._tags = [inbound["tag"] for inbound in config["inbounds"]]
        # Chosen once: when somebody else has it at a start, only a start of the panel helps.
        self._api_port = free_port()
        self._process = Process(program, log)
        self._control = Control(self._api_port)
        self._line = ThreadPoolExecutor(1, thread_name_prefix="core")

    @property
    def started(self) -> bool:
        return self._process.is_running

    def hold(self, user: CoreUser) -> None:
        self._in_line(self._hold, user)

    def restart(self, users: Sequence[CoreUser]) -> None:
        self._in_line(self._restart, users)

    def switch(self, on: bool, users: Sequence[CoreUser]) -> None:
        """Off: as if it were killed, so that the next round starts it again."""
        if on:
            self._in_line(self._restart, users)
        else:
            self._in_line(self._process.stop)

    def attended(self, panel: Managing) -> Callable[[Any], AsyncIterator[None]]:
        async def attend(app: object) -> AsyncIterator[None]:
            self.restart(panel.core_users())
            rounds = asyncio.create_task(self._rounds(panel))
            yield
            rounds.cancel()
            await asyncio.to_thread(self._end)

        return attend

    async def _rounds(self, panel: Managing) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(ROUND)
            # First who is at the end or the limit, as counted the last time; then the counting.
            users = panel.core_users()
            for email, amount in (await loop.run_in_executor(self._line, self._traffic)).items():
                panel.add_traffic(email.partition(".")[2], amount)
            if not self.started:
                self.restart(users)

    def _in_line(self, do: Callable[..., None], *arguments: object) -> None:
        def tell(done: Future[None]) -> None:
            if not done.cancelled() and (error := done.exception()):
                _log.error("the core: %r", error)

        self._line.submit(do, *arguments).add_done_callback(tell)

    def _traffic(self) -> dict[str, int]:
        if not self.started:
            return {}
        try:
            return {email: amount for email, amount in self._control.traffic().items() if amount}
        except CoreRefused as refused:
            _log.warning("the core's statistics: %s", refused)
            return {}

    def _hold(self, user: CoreUser) -> None:
        if not self.started:
            return  # its next start finds them all
        for tag in self._tags:
            try:
                self._control.remove(tag, user.email)
                if tag in user.accounts:
                    self._control.add(tag, user.email, *user.accounts[tag])
            except CoreRefused as refused:
                _log.warning("the core, inbound %s: %s", tag, refused)

    def _restart(self, users: Sequence[CoreUser]) -> None:
        self._process.stop()
        self._process.start(panel_config(self._config, self._api_port, users), self._api_port)

    def _end(self) -> None:
        self._line.shutdown(wait=True, cancel_futures=True)
        self._process.stop()
        self._control.close()

"""`python -m sandbox panel`: the panel's stand-in as a process of its own, where a node has its panel."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.marzban import create_app
from sandbox.marzban.cores import Core, PretendedCore
from sandbox.marzban.inbounds import VLESS, Inbound
from sandbox.serving import served
from sandbox.store import Store
from sandbox.troubles import NodeTroubles

_STATE: Final = "marzban.db"
_LOG: Final = "xray.log"


class PanelDidNotStart(Exception):
    """With a remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelSettings:
    """`directory`: where users are kept; `xray` and `xray_config`: the program and its configuration, both or none."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    directory: Path
    xray: Path | None
    xray_config: Path | None


def panel(settings: PanelSettings) -> int:
    """Until SIGTERM or Ctrl-C; the exit code."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(_serve(settings))
    except (PanelDidNotStart, OSError) as problem:
        print(f"The panel did not start: {problem}", file=sys.stderr)
        return 1
    return 0


async def _serve(settings: PanelSettings) -> None:
    settings.directory.mkdir(parents=True, exist_ok=True)
    core, inbounds = _core(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with closing(Store(settings.directory / _STATE)) as store:
        app = create_app(
            username=settings.username,
            password=settings.password,
            store=store,
            troubles=NodeTroubles(),
            core=core,
            inbounds=inbounds,
        )
        async with served(app, settings.host, settings.port):
            print(f"The panel listens on {settings.host}:{settings.port}", flush=True)
            await stop.wait()


def _core(settings: PanelSettings) -> tuple[Core, Sequence[Inbound]]:
    """With what its configuration lets customers in through. Raises PanelDidNotStart."""
    if settings.xray is None and settings.xray_config is None:
        return PretendedCore(), [VLESS]
    if settings.xray is None or settings.xray_config is None:
        raise PanelDidNotStart("--xray and --xray-config need one another")
    if not os.access(settings.xray, os.X_OK):
        raise PanelDidNotStart(f"{settings.xray} is no program")
    try:
        # Not before it is asked for: the shop's own sandbox does without these libraries.
        from sandbox.marzban.xray import BadConfig, XrayCore, inbounds_of, read_config
    except ImportError as missing:
        raise PanelDidNotStart(f"{missing.name} is not installed: see node_b/requirements.lock") from None
    try:
        config = read_config(settings.xray_config)
    except BadConfig as bad:
        raise PanelDidNotStart(str(bad)) from None
    return XrayCore(settings.xray, config, settings.directory / _LOG), inbounds_of(config)

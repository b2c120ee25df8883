"""`python -m sandbox demo`, `… smoke`, `… torture` and `… panel`."""

import argparse
import os
import sys
from pathlib import Path

from sandbox.demo import demo
from sandbox.panel import PanelSettings, panel
from sandbox.smoke import smoke
from sandbox.torture import torture


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The shop, offline.")
    parser.add_argument("command", choices=["demo", "smoke", "torture", "panel"])
    parser.add_argument(
        "--directory",
        type=Path,
        help="where its state is kept (default: var/COMMAND; smoke and torture begin theirs anew)",
    )
    bad_night = parser.add_argument_group("torture", "DATABASE_URL of the environment may name an empty database.")
    bad_night.add_argument("--purchases", type=int, default=100)
    bad_night.add_argument("--seed", type=int, default=1)
    node = parser.add_argument_group(
        "panel", "Marzban's stand-in alone, for a Node B; PANEL_PASSWORD of the environment."
    )
    node.add_argument("--host", default="127.0.0.1")
    node.add_argument("--port", type=int, default=8000)
    node.add_argument("--username", default="sandbox")
    node.add_argument("--password", help="for throw-away ones: everybody on this machine can read it")
    node.add_argument("--xray", type=Path, help="the program that is to carry the traffic; without it nothing does")
    node.add_argument("--xray-config", type=Path, help="vless_reality.json, rendered")
    arguments = parser.parse_args()
    directory = arguments.directory or Path("var") / arguments.command
    if arguments.command == "torture":
        # Not an argument: it may hold a password, and arguments are shown to everybody on the machine.
        return torture(directory, arguments.purchases, arguments.seed, os.environ.get("DATABASE_URL") or None)
    if arguments.command == "panel":
        return panel(_panel_settings(parser, arguments, directory))
    return demo(directory) if arguments.command == "demo" else smoke(directory)


def _panel_settings(parser: argparse.ArgumentParser, given: argparse.Namespace, directory: Path) -> PanelSettings:
    password = given.password or os.environ.get("PANEL_PASSWORD")
    if not password:
        parser.error("the panel needs a password: PANEL_PASSWORD in the environment, or --password")
    return PanelSettings(
        host=given.host,
        port=given.port,
        username=given.username,
        password=password,
        directory=directory,
        xray=given.xray,
        xray_config=given.xray_config,
    )


sys.exit(main())

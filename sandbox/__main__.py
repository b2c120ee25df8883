"""`python -m sandbox demo`, `python -m sandbox smoke` and `python -m sandbox torture`."""

import argparse
import os
import sys
from pathlib import Path

from sandbox.demo import demo
from sandbox.smoke import smoke
from sandbox.torture import torture


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The shop, offline.")
    parser.add_argument("command", choices=["demo", "smoke", "torture"])
    parser.add_argument(
        "--directory",
        type=Path,
        help="where its state is kept (default: var/demo, or var/smoke or var/torture, which each run begins anew)",
    )
    bad_night = parser.add_argument_group("torture", "DATABASE_URL of the environment may name an empty database.")
    bad_night.add_argument("--purchases", type=int, default=100)
    bad_night.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    directory = arguments.directory or Path("var") / arguments.command
    if arguments.command == "torture":
        # Not an argument: it may hold a password, and arguments are shown to everybody on the machine.
        return torture(directory, arguments.purchases, arguments.seed, os.environ.get("DATABASE_URL") or None)
    return demo(directory) if arguments.command == "demo" else smoke(directory)


sys.exit(main())

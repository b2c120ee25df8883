"""`python -m sandbox demo` and `python -m sandbox smoke`."""

import argparse
import sys
from pathlib import Path

from sandbox.demo import demo
from sandbox.smoke import smoke


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The shop, offline.")
    parser.add_argument("command", choices=["demo", "smoke"])
    parser.add_argument(
        "--directory",
        type=Path,
        help="where its state is kept (default: var/demo, or var/smoke, which each run begins anew)",
    )
    arguments = parser.parse_args()
    directory = arguments.directory or Path("var") / arguments.command
    return demo(directory) if arguments.command == "demo" else smoke(directory)


sys.exit(main())

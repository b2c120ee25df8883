"""`python -m node_b.agent` serves; `python -m node_b.agent healthy` says whether the running one is well."""

import argparse
import os
import signal
import sys
import threading

from node_b.agent.health import ask
from node_b.agent.settings import WRONG_SETTINGS, explain, read_address, read_settings
from shared import logs
from shared.environment import ConfigurationProblems

COMMANDS = {
    "serve": "hold the users, run Xray, answer Node A (if no command is given)",
    "healthy": "ask the running agent whether it and its Xray are well; ends with 0 or 1",
}


def main() -> int:
    commands = "\n".join(f"  {name:<8} {purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m node_b.agent",
        description="The agent of QentVPN's Node B.",
        epilog=f"commands:\n{commands}\n\nSettings come from the environment: AGENT_TOKEN, AGENT_STATE and others.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", nargs="?", default="serve")
    command = parser.parse_args().command
    try:
        return _healthy() if command == "healthy" else _serve()
    except ConfigurationProblems as problems:
        print(explain(problems), file=sys.stderr)
        return WRONG_SETTINGS


def _healthy() -> int:
    problem = ask(*read_address(os.environ))
    if problem:
        print(problem, file=sys.stderr)
    return int(problem is not None)


def _serve() -> int:
    settings = read_settings(os.environ)
    secrets = [settings.token.get_secret_value()]
    logs.configure(process="agent", format=settings.log_format, level=settings.log_level, secrets=secrets)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    from node_b.agent.serving import serve

    code = serve(settings, stopping)
    # Whatever thread still hangs in a call must not hold the exit.
    sys.stderr.flush()
    os._exit(code)


sys.exit(main())

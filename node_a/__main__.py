"""`python -m node_a bot | web | worker | all | migrate | check`."""

import argparse
import os
import sys

from node_a.bootstrap import Application
from node_a.processes import Family, follow_parent, run_until_stopped
from node_a.settings import Settings, explain, read_settings
from shared import logs
from shared.environment import ConfigurationProblems

COMMANDS = {
    "bot": "answer customers in Telegram",
    "web": "serve the Mini App, webhooks and subscription links",
    "worker": "settle payments, provide keys, deliver messages",
    "all": "the three of them as children of one process",
    "migrate": "bring the database to this release's shape",
    "check": "say what is wrong with the settings, the plans and the database",
}


def main() -> int:
    commands = "\n".join(f"  {name:<8} {purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m node_a",
        description="Node A of QentVPN.",
        epilog=f"commands:\n{commands}\n\nSettings come from the environment and .env; see .env.example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    command = parser.parse_args().command
    try:
        settings = read_settings()
        logs.configure(
            process=command, format=settings.log_format, level=settings.log_level, secrets=settings.secrets()
        )
        _run(command, settings)
    except ConfigurationProblems as problems:
        print(explain(problems), file=sys.stderr)
        return 2
    return 0


def _run(command: str, settings: Settings) -> None:
    application = Application(settings)
    if command == "migrate":
        application.migrate()
        return
    application.check()
    if command == "check":
        print("Settings, plans and database are in order.")
        return
    follow_parent()
    if command == "all":
        application.engine.dispose()  # the children open their own
        sys.exit(Family(["bot", "worker", "web"]).run())
    if command == "web":
        application.engine.dispose()  # gunicorn forks: no connection may cross it
        application.web()
    else:
        run_until_stopped(application.bot if command == "bot" else application.worker)
        # Whatever thread still hangs in a vendor's library must not hold the exit: nothing is lost with it.
        sys.stderr.flush()
        os._exit(0)


sys.exit(main())

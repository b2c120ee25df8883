"""`python -m node_a bot | web | worker | all | migrate | check | reconcile | migration NAME`."""

import argparse
import os
import sys

from node_a.adapters.database.migration import make_migration
from node_a.application.jobs import RECONCILED_DAYS
from node_a.bootstrap import Application
from node_a.domain.errors import LedgerUnavailable, PaymentRefused, Unavailable
from node_a.processes import WRONG_SETTINGS, Family, follow_parent, run_until_stopped
from node_a.settings import explain, read_settings
from shared import logs
from shared.environment import ConfigurationProblems

COMMANDS = {
    "bot": "answer customers in Telegram",
    "web": "serve the Mini App, webhooks and subscription links",
    "worker": "settle payments, provide keys, deliver messages",
    "all": "the three of them as children of one process",
    "migrate": "bring the database to this release's shape",
    "check": "say what is wrong with the settings, the plans and the database",
    "reconcile": "compare the provider's lists of payments and refunds with our grants, and put right what is missing",
    "migration": "for maintainers: write the migration NAME, from what changed in tables.py",
}
# It may go away by itself: whoever started the process may do so again.
NOT_NOW = 1
# `reconcile` did its work, and money in and days given do not agree.
NEEDS_A_PERSON = 3
# A provider does not remember everything: what it has forgotten would look as if nobody had paid it.
MOST_DAYS = 365


def main() -> int:
    commands = "\n".join(f"  {name:<10} {purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m node_a",
        description="Node A of QentVPN.",
        epilog=f"commands:\n{commands}\n\nSettings come from the environment and .env; see .env.example.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND")
    parser.add_argument("name", nargs="?", metavar="NAME", help="of a new migration")
    parser.add_argument(
        "--days", type=int, default=RECONCILED_DAYS, help=f"how far back `reconcile` looks (default: {RECONCILED_DAYS})"
    )
    given = parser.parse_args()
    if not 1 <= given.days <= MOST_DAYS:
        parser.error(f"--days must be 1 to {MOST_DAYS}")
    if (given.command == "migration") != (given.name is not None):
        parser.error("`migration` needs a NAME, and nothing else takes one")
    if given.command == "migration":
        return _make_migration(given.name)
    return _run(given.command, given.days)


def _make_migration(name: str) -> int:
    made = make_migration(name)
    if made is None:
        print("Nothing differs between the tables in the code and the migrations: no file was written.")
    else:
        print(f"Read and correct it, then `make format` and `make test`: {made}")
    return 0


def _run(command: str, days: int) -> int:
    try:
        settings = read_settings()
        logs.configure(
            process=command, format=settings.log_format, level=settings.log_level, secrets=settings.secrets()
        )
        application = Application(settings)
        if command == "migrate":
            print(application.migrate())
            return 0
        application.check(remember=command != "check")
    except ConfigurationProblems as problems:
        print(explain(problems), file=sys.stderr)
        return WRONG_SETTINGS
    except LedgerUnavailable as error:
        print(f"QentVPN cannot start now: {error}", file=sys.stderr)
        return NOT_NOW
    if command == "check":
        print("Settings, plans and database are in order.")
        return 0
    if command == "reconcile":
        return _reconcile(application, days)
    return _work(command, application)


def _reconcile(application: Application, days: int) -> int:
    try:
        found = application.reconcile(days)
    except (Unavailable, PaymentRefused) as error:
        print(f"Not finished; what was put right stays so, and it can be repeated: {error}", file=sys.stderr)
        return NOT_NOW
    print(
        f"{found.payments} payments and {found.refunds} refunds of the last {days} days compared.\n"
        f"Our database had forgotten {found.rebuilt}; settled: {found.settled}; new refunds: {found.shortened}.\n"
        f"Paid with the same account, and not through this shop: {found.foreign}."
    )
    for provider_id in found.unreadable:
        print(f"A person must look at YooKassa's payment {provider_id}: paid, and it does not say by whom or what for")
    for payment in found.differences:
        print(f"A person must look at payment {payment.id}: {payment.attention}")
    return NEEDS_A_PERSON if found.differences or found.unreadable else 0


def _work(command: str, application: Application) -> int:
    follow_parent()
    if command == "all":
        application.engine.dispose()  # the children open their own
        return Family(["bot", "worker", "web"]).run()
    if command == "web":
        application.engine.dispose()  # gunicorn forks: no connection may cross it
        application.web()
        return 0
    run_until_stopped(application.bot if command == "bot" else application.worker)
    # Whatever thread still hangs in a vendor's library must not hold the exit: nothing is lost with it.
    sys.stderr.flush()
    os._exit(0)


sys.exit(main())

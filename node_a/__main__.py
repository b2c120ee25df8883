"""`python -m node_a bot | web | worker | all | migrate | check | reconcile | rotate-secret | migration NAME`."""

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
    "check": "say what is wrong with the settings, the plans and the database, and which ways to Telegram work",
    "reconcile": "compare the provider's lists of payments and refunds with our grants, and put right what is missing",
    "rotate-secret": "give everybody keys from the newest of KEY_SECRETS, so that the older ones can be removed",
    "migration": "for maintainers: write the migration NAME, from what changed in tables.py",
}
# It may go away by itself: whoever started the process may do so again.
NOT_NOW = 1
# `reconcile` did its work, and money in and days given do not agree.
NEEDS_A_PERSON = 3
# A provider does not remember everything: what it has forgotten would look as if nobody had paid it.
MOST_DAYS = 365
# `rotate-secret` says after so many subscriptions how far it is.
BATCH = 100
MOST_AT_ONCE = 10_000


def main() -> int:
    commands = "\n".join(f"  {name:<14} {purpose}" for name, purpose in COMMANDS.items())
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
    parser.add_argument(
        "--batch", type=int, default=BATCH, help=f"how many subscriptions `rotate-secret` moves at a time ({BATCH})"
    )
    given = parser.parse_args()
    if not 1 <= given.days <= MOST_DAYS:
        parser.error(f"--days must be 1 to {MOST_DAYS}")
    if not 1 <= given.batch <= MOST_AT_ONCE:
        parser.error(f"--batch must be 1 to {MOST_AT_ONCE}")
    if (given.command == "migration") != (given.name is not None):
        parser.error("`migration` needs a NAME, and nothing else takes one")
    if given.command == "migration":
        return _make_migration(given.name)
    return _run(given.command, given.days, given.batch)


def _make_migration(name: str) -> int:
    made = make_migration(name)
    if made is None:
        print("Nothing differs between the tables in the code and the migrations: no file was written.")
    else:
        print(f"Read and correct it, then `make format` and `make test`: {made}")
    return 0


def _run(command: str, days: int, batch: int) -> int:
    try:
        settings = read_settings()
        logs.configure(
            process=command, format=settings.log_format, level=settings.log_level, secrets=settings.secrets()
        )
        application = Application(settings)
        if command == "migrate":
            print(application.migrate())
            return 0
        # Moving to a secret that no other process knows would lock everybody out: it must not look as if one did.
        application.check(remember=command not in {"check", "rotate-secret"})
    except ConfigurationProblems as problems:
        print(explain(problems), file=sys.stderr)
        return WRONG_SETTINGS
    except LedgerUnavailable as error:
        print(f"QentVPN cannot start now: {error}", file=sys.stderr)
        return NOT_NOW
    return _done(command, application, days, batch)


def _done(command: str, application: Application, days: int, batch: int) -> int:
    if command == "check":
        return _say_all_is_well(application)
    if command == "reconcile":
        return _reconcile(application, days)
    if command == "rotate-secret":
        return _rotate_secret(application, batch)
    return _work(command, application)


def _say_all_is_well(application: Application) -> int:
    print("Settings, plans and database are in order.")
    for number in application.idle_secrets():
        print(f"No keys are made from KEY_SECRETS__{number} any more: it may be removed.")
    _say_how_telegram_is_reached(application)
    return 0


def _say_how_telegram_is_reached(application: Application) -> None:
    """No part of the verdict: Telegram and a proxy come back by themselves, and settings do not."""
    seen = application.telegram_routes()
    print("Telegram:")
    for route, sight in seen:
        print(f"  {route.name}: {sight.says}")
    if not any(sight.works for _, sight in seen):
        print("  None works: until one does, the bot neither hears nor speaks. See TELEGRAM_ROUTES in .env.example.")


def _rotate_secret(application: Application, batch: int) -> int:
    move, newest = application.move_to_newest_secret, application.ring.newest
    try:
        refusal = application.why_not_to_move_secrets()
        if refusal is not None:
            print(f"Nothing was done: {refusal}", file=sys.stderr)
            return WRONG_SETTINGS
        left, moved = move.left(), 0
        print(
            f"Subscriptions to move to KEY_SECRETS__{newest}: {left}. This can be stopped and repeated at any moment."
        )
        while some := move(batch):
            moved += some
            print(f"{moved} moved, {max(0, left - moved)} left", flush=True)
    except LedgerUnavailable as error:
        print(f"Not finished; what was moved stays so, and it can be repeated: {error}", file=sys.stderr)
        return NOT_NOW
    print(
        f"All keys are made from KEY_SECRETS__{newest}. The worker brings them to the nodes and writes to each"
        " customer; `python -m node_a check` says which secrets may be removed."
    )
    return 0


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

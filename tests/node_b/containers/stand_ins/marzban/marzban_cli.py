"""`marzban-cli admin create` as the original takes it where nobody can be asked: the password by the environment."""

import argparse
import os
import sys

from main import database

from sandbox.store import Store


def main() -> int:
    parser = argparse.ArgumentParser(prog="marzban-cli")
    create = parser.add_subparsers(required=True).add_parser("admin").add_subparsers(required=True).add_parser("create")
    create.add_argument("--username", required=True)
    create.add_argument("--sudo", action="store_true", required=True)
    create.add_argument("--telegram-id", type=int, required=True)
    create.add_argument("--discord-webhook", choices=["0"], required=True)
    given = parser.parse_args()
    administrators = Store(database()).table("administrators")
    if given.username in administrators:
        print(f'Admin "{given.username}" already exists!', file=sys.stderr)
        return 255
    administrators[given.username] = {"password": os.environ["MARZBAN_ADMIN_PASSWORD"], "is_sudo": given.sudo}
    print(f'Admin "{given.username}" created successfully.')
    return 0


sys.exit(main())

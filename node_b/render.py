"""What a node's containers mount, made from what the operator decided and from keys that are made once.

    python -m node_b.render --state DIRECTORY keys          makes what keys.env and certificate/ lack, and nothing else
    python -m node_b.render --state DIRECTORY configs       writes rendered/
    python -m node_b.render --state DIRECTORY block         prints the block for Node A's .env, secrets and all
    python -m node_b.render --state DIRECTORY rotate NAME   a new reality, short-id, shadowsocks, token, password or
                                                            certificate; the old one is kept beside, with its date

Exits with 0, with 2 if what it read is wrong (one line for each problem, with a remedy), or with 1.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from node_b.blanks import RenderError, render_json, render_text
from node_b.block import block_for_node_a
from node_b.certificate import ensure_certificate, read_certificate
from node_b.configurations import write_configurations
from node_b.decisions import Decisions, read_decisions
from node_b.keys import ensure_keys, read_keys
from node_b.private_files import ensure_directory, locked
from node_b.rotation import MEANING, rotate
from shared.environment import ConfigurationProblems

__all__ = ["RenderError", "main", "render_json", "render_text"]


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        # First, so that no directory is touched that is not a node's.
        decisions = read_decisions(asked.state)
        ensure_directory(asked.state)
        with locked(asked.state):
            print(asked.does(asked, decisions))
    except ConfigurationProblems as error:
        print(error, file=sys.stderr)
        return 2
    except RenderError as error:
        print(f"a template cannot be filled: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename or asked.state}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _keys(asked: argparse.Namespace, decisions: Decisions) -> str:
    made = ensure_keys(asked.state)
    if ensure_certificate(asked.state, decisions.host, datetime.now(UTC)):
        made.append("certificate")
    return f"made: {', '.join(made)}" if made else "unchanged"


def _configs(asked: argparse.Namespace, decisions: Decisions) -> str:
    changed = write_configurations(asked.state, decisions, read_keys(asked.state))
    return f"written: {', '.join(changed)}" if changed else "unchanged"


def _block(asked: argparse.Namespace, decisions: Decisions) -> str:
    return block_for_node_a(decisions, read_keys(asked.state), read_certificate(asked.state)).rstrip("\n")


def _rotate(asked: argparse.Namespace, decisions: Decisions) -> str:
    kept = rotate(asked.state, asked.name, decisions.host, datetime.now(UTC))
    return "\n".join([MEANING[asked.name], *(f"The old one is kept: {file}" for file in kept)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m node_b.render", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--state", type=Path, required=True, help="the node's state directory, with node.env in it")
    commands = parser.add_subparsers(required=True, metavar="keys | configs | block | rotate")
    for name, does in {"keys": _keys, "configs": _configs, "block": _block}.items():
        commands.add_parser(name).set_defaults(does=does)
    rotation = commands.add_parser("rotate")
    rotation.add_argument("name", choices=sorted(MEANING))
    rotation.set_defaults(does=_rotate)
    return parser


if __name__ == "__main__":
    sys.exit(main())

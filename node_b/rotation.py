"""New secrets in the place of old ones, which are kept beside; and what that means for customers."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from node_b.certificate import certificate_file, ensure_certificate, key_file, remove_certificate
from node_b.keys import FILE_NAME, MAKERS, read_keys, replace_keys, x25519_private_key, x25519_public_key
from node_b.private_files import create_private

# Said in the middle of deploy_node_b.sh, which does the node's part itself.
_THEN: Final = "Then: the new block (deploy_node_b.sh --show-secrets) into Node A's .env."
# What can be renewed, and what the operator must know before the telephone rings.
MEANING: Final[Mapping[str, str]] = {
    "reality": "Every VLESS key on this node stops working until the customer's app fetches the subscription link "
    f"again, or the key is imported anew from /my. {_THEN}",
    "short-id": f"As with reality, every customer's VLESS key on this node must be fetched or imported again. {_THEN}",
    "shadowsocks": "Every Shadowsocks key on this node stops working until the customer's app fetches the subscription "
    f"link again, or the key is imported anew from /my. {_THEN}",
    "token": f"Customers notice nothing; until both nodes have it, Node A cannot reach the agent. {_THEN}",
    "password": f"Customers notice nothing; until both nodes have it, Node A cannot reach the panel. {_THEN}",
    "certificate": f"Customers notice nothing; until Node A has it, Node A trusts this node no more. {_THEN}",
}


def _reality_pair() -> dict[str, str]:
    private = x25519_private_key()
    return {"REALITY_PRIVATE_KEY": private, "REALITY_PUBLIC_KEY": x25519_public_key(private)}


_NEW: Final[Mapping[str, Callable[[], dict[str, str]]]] = {
    "reality": _reality_pair,
    "short-id": lambda: {"REALITY_SHORT_ID": MAKERS["REALITY_SHORT_ID"]()},
    "shadowsocks": lambda: {"SHADOWSOCKS_SERVER_KEY": MAKERS["SHADOWSOCKS_SERVER_KEY"]()},
    "token": lambda: {"AGENT_TOKEN": MAKERS["AGENT_TOKEN"]()},
    "password": lambda: {"PANEL_PASSWORD": MAKERS["PANEL_PASSWORD"]()},
}


def rotate(state: Path, name: str, host: str, now: datetime) -> list[Path]:
    """Where the old ones are now. Raises ConfigurationProblems if they are damaged, FileExistsError if something was
    renewed in this very second. Call it under the state directory's lock."""
    date = now.astimezone(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    if name == "certificate":
        kept = [_kept(file, date) for file in (certificate_file(state), key_file(state)) if file.exists()]
        remove_certificate(state)
        ensure_certificate(state, host, now)
        return kept
    read_keys(state)
    kept = [_kept(state / FILE_NAME, date)]
    replace_keys(state, _NEW[name]())
    return kept


def _kept(file: Path, date: str) -> Path:
    copy = file.with_name(f"{file.name}.{date}")
    create_private(copy, file.read_text(encoding="utf-8"))
    return copy

"""The block for Node A's `.env`: all that the shop must know of this node. It holds secrets."""

import base64
from collections.abc import Mapping
from typing import Final

from node_b.decisions import Decisions
from shared.inbounds import PROXY_PORT

_FROM_KEYS: Final = (
    "PANEL_USERNAME",
    "PANEL_PASSWORD",
    "AGENT_TOKEN",
    "REALITY_PUBLIC_KEY",
    "REALITY_SHORT_ID",
    "SHADOWSOCKS_SERVER_KEY",
)


def block_for_node_a(decisions: Decisions, keys: Mapping[str, str], certificate: str) -> str:
    """`certificate`: PEM. The names are those of node_a/settings.py."""
    host = f"[{decisions.host}]" if ":" in decisions.host else decisions.host
    values = {
        # Quoted, because of blanks and what a shell or `.env` may see in a flag.
        "NAME_RU": f"'{decisions.name_ru}'",
        "NAME_EN": f"'{decisions.name_en}'",
        "HOST": decisions.host,
        "URL": f"https://{host}:{PROXY_PORT}",
        "CERTIFICATE": base64.b64encode(certificate.encode()).decode(),
        **{name: keys[name] for name in _FROM_KEYS},
        "REALITY_SERVER_NAME": decisions.reality_server_name,
    }
    if decisions.outline_port is not None:
        values["OUTLINE_PORT"] = str(decisions.outline_port)
    return "".join(f"NODES__{decisions.code}__{name}={value}\n" for name, value in values.items())

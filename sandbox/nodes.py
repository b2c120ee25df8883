"""Which nodes there can be, and what Node A must know of each."""

from collections.abc import Mapping
from typing import Final

from sandbox.stand_ins import PANEL_USERNAME
from sandbox.state import FIRST_NODE, NodeSecrets

# By code, in the order in which they come: what customers call them, in Russian and in English.
NODES: Final[Mapping[str, tuple[str, str]]] = {
    FIRST_NODE: ("🇩🇪 Германия 1", "🇩🇪 Germany 1"),
    "de2": ("🇩🇪 Германия 2", "🇩🇪 Germany 2"),
    "nl1": ("🇳🇱 Нидерланды 1", "🇳🇱 Netherlands 1"),
    "fi1": ("🇫🇮 Финляндия 1", "🇫🇮 Finland 1"),
    "se1": ("🇸🇪 Швеция 1", "🇸🇪 Sweden 1"),
}


def host_of(code: str) -> str:
    """What stands in its keys."""
    return f"{code}.sandbox.invalid"


def node_settings(code: str, url: str, secrets: NodeSecrets) -> dict[str, str]:
    """As `deploy_node_b.sh` would print them."""
    russian, english = NODES[code]
    block = {
        "NAME_RU": russian,
        "NAME_EN": english,
        "HOST": host_of(code),
        "URL": url,
        "PANEL_USERNAME": PANEL_USERNAME,
        "PANEL_PASSWORD": secrets.panel_password,
        "AGENT_TOKEN": secrets.agent_token,
        "REALITY_PUBLIC_KEY": secrets.reality_public_key,
        "REALITY_SHORT_ID": "0123456789abcdef",
        "REALITY_SERVER_NAME": "borrowed.sandbox.invalid",
        "SHADOWSOCKS_SERVER_KEY": secrets.shadowsocks_server_key,
        "PROBE": "false",  # nobody listens at the customers' ports
    }
    return {f"NODES__{code.upper()}__{name}": value for name, value in block.items()}

"""What a node's containers and its firewall mount: every template with its values, written into `rendered/`."""

import ipaddress
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from node_b.blanks import Value, render_json, render_text
from node_b.decisions import AGENT_PORT, PANEL_PORT, Decisions, Network, is_address
from node_b.private_files import ensure_directory, write_private
from shared.inbounds import (
    OUTLINE_TAG,
    PROXY_PORT,
    SHADOWSOCKS_METHOD,
    SHADOWSOCKS_PORT,
    SHADOWSOCKS_TAG,
    VLESS_PORT,
    VLESS_TAG,
)

DIRECTORY: Final = "rendered"
_TEMPLATES: Final = Path(__file__).parent
# Where docker-compose.node-b.yml puts the certificate's directory for the proxy.
_CERTIFICATE: Final = "/etc/qentvpn/certificate/node.crt"
_CERTIFICATE_KEY: Final = "/etc/qentvpn/certificate/node.key"
_TELEGRAM_API: Final = "https://api.telegram.org"

# Somebody is always there: without any user, Xray would take the server key alone for a password. No customer can have
# this name.
PLACEHOLDER_NAME: Final = "placeholder-without-owner"
# Xray gives the sockets of customers' connections this SO_PRIORITY, which needs no capability, and the firewall knows
# them by it. Neither 0, the usual one, nor 1, 2, 4 or 6, which the kernel makes of a type of service.
TUNNEL_PRIORITY: Final = 5
# What customers must not reach through the tunnel: this host, its provider's inside, multicast, and the addresses of
# IPv6 that have an IPv4 address inside (NAT64, 6to4). Not those for documentation, which lead nowhere.
UNREACHABLE: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2002::/16", "fc00::/7", "fe80::/10", "fec0::/10"),
        "ff00::/8",
    )
)


def write_configurations(state: Path, decisions: Decisions, keys: Mapping[str, str]) -> list[str]:
    """The names of the files that changed. Raises RenderError. Call it under the state directory's lock."""
    rendered = rendered_files(decisions, keys)  # all of them, before the first is written
    ensure_directory(state / DIRECTORY)
    return [name for name, content in rendered.items() if write_private(state / DIRECTORY / name, content)]


def rendered_files(decisions: Decisions, keys: Mapping[str, str]) -> dict[str, str]:
    """By the names they have in `rendered/`. Raises RenderError."""
    return {
        "vless_reality.json": vless_reality(decisions, keys),
        "shadowsocks_2022.json": shadowsocks_2022(decisions, keys),
        "marzban.env": render_text(_template("marzban/marzban.env"), {}),
        "agent.env": render_text(
            _template("agent/agent.env"), {"agent_token": keys["AGENT_TOKEN"], "agent_port": AGENT_PORT}
        ),
        "Caddyfile": render_text(_template("proxy/Caddyfile"), _proxy_values()),
        "firewall.nft": firewall(decisions),
    }


def vless_reality(decisions: Decisions, keys: Mapping[str, str]) -> str:
    """Marzban's Xray; it fills in the clients, and its own API."""
    configuration = render_json(
        _template("xray/vless_reality.json"),
        {
            **_tunnel_values(decisions),
            "vless_tag": VLESS_TAG,
            "vless_port": VLESS_PORT,
            "reality_target": decisions.reality_target,
            "reality_server_names": [decisions.reality_server_name],
            "reality_private_key": keys["REALITY_PRIVATE_KEY"],
            "reality_public_key": keys["REALITY_PUBLIC_KEY"],
            "reality_short_ids": [keys["REALITY_SHORT_ID"]],
        },
    )
    return configuration if decisions.outline_port is None else _with_outline(configuration, decisions.outline_port)


def shadowsocks_2022(decisions: Decisions, keys: Mapping[str, str]) -> str:
    """The agent's Xray; the agent adds its users, and where Xray's API listens."""
    return render_json(
        _template("xray/shadowsocks_2022.json"),
        {
            **_tunnel_values(decisions),
            "shadowsocks_tag": SHADOWSOCKS_TAG,
            "shadowsocks_port": SHADOWSOCKS_PORT,
            "shadowsocks_method": SHADOWSOCKS_METHOD,
            "shadowsocks_server_key": keys["SHADOWSOCKS_SERVER_KEY"],
            "placeholder_name": PLACEHOLDER_NAME,
            "placeholder_key": keys["SHADOWSOCKS_PLACEHOLDER_KEY"],
        },
    )


def firewall(decisions: Decisions) -> str:
    return render_text(
        _template("firewall/firewall.nft"),
        {
            "node_a_ipv4": _elements(_of_version(4, decisions.node_a)),
            "node_a_ipv6": _elements(_of_version(6, decisions.node_a)),
            "ssh_ports": _elements(decisions.ssh_ports),
            "vless_port": VLESS_PORT,
            "shadowsocks_port": SHADOWSOCKS_PORT,
            "proxy_port": PROXY_PORT,
            "outline_ports": _elements([] if decisions.outline_port is None else [decisions.outline_port]),
            "tunnel_priority": TUNNEL_PRIORITY,
            "unreachable_ipv4": _elements(_of_version(4, UNREACHABLE)),
            "unreachable_ipv6": _elements(_of_version(6, UNREACHABLE)),
        },
    )


def _tunnel_values(decisions: Decisions) -> dict[str, Value]:
    # The node's own address too: what comes from this host would reach what the firewall closes to strangers.
    own = [decisions.host] if is_address(decisions.host) else []
    return {
        "unreachable_networks": [*map(str, UNREACHABLE), *own],
        "torrents_go_to": "BLOCK" if decisions.block_torrents else "DIRECT",
        "tunnel_priority": str(TUNNEL_PRIORITY),
    }


def _with_outline(configuration: str, port: int) -> str:
    document = json.loads(configuration)
    inbound = render_json(_template("xray/outline.json"), {"outline_tag": OUTLINE_TAG, "outline_port": port})
    document["inbounds"].append(json.loads(inbound))
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _proxy_values() -> dict[str, Value]:
    return {
        "proxy_port": PROXY_PORT,
        "certificate": _CERTIFICATE,
        "certificate_key": _CERTIFICATE_KEY,
        "panel_address": f"127.0.0.1:{PANEL_PORT}",
        "agent_address": f"127.0.0.1:{AGENT_PORT}",
        "telegram_api": _TELEGRAM_API,
    }


def _of_version(version: int, networks: Iterable[Network]) -> list[Network]:
    return [network for network in networks if network.version == version]


def _elements(items: Iterable[object]) -> str:
    """A set's elements in nftables; nothing at all for none, because empty braces are an error there."""
    listed = ", ".join(map(str, items))
    return f"elements = {{ {listed} }}" if listed else ""


def _template(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")

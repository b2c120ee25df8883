"""A whole configuration for mihomo: Clash Verge, FlClash, Stash, NekoBox and others of that family.

Fields: wiki.metacubex.one, config/proxies, config/proxy-groups, config/dns.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from node_a.application.overview import LabelledKey
from node_a.domain.node import Protocol
from node_a.web.link_formats.network import PRIVATE_NETWORKS, PROBE_SECONDS, PROBE_URL, RESOLVERS, TOLERANCE
from node_a.web.link_formats.profile import Profile

# JSON may hold these as they are, YAML not.
_NOT_IN_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


def clash(profile: Profile) -> str:
    """YAML whose values are written as JSON, which YAML includes: quoted, so that a short id like 1234 stays a text."""
    settings = {
        "mixed-port": 7890,
        "allow-lan": False,
        "mode": "rule",
        "log-level": "warning",
        "ipv6": True,
        "dns": _dns(),
        "proxies": [_proxy(key) for key in profile.keys],
        "proxy-groups": _groups(profile),
        "rules": _rules(profile),
    }
    return "\n".join(f"{name}:{_value(value)}" for name, value in settings.items()) + "\n"


def _value(value: object) -> str:
    if isinstance(value, list) and value:
        return "".join(f"\n- {_json(one)}" for one in value)
    return f" {_json(value)}"


def _json(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _dns() -> dict[str, Any]:
    return {
        "enable": True,
        "ipv6": True,
        "enhanced-mode": "fake-ip",
        "nameserver": [f"https://{address}/dns-query" for address in RESOLVERS],
        "respect-rules": True,  # through the tunnel, as all else
        "proxy-server-nameserver": ["system"],
        "direct-nameserver": ["system"],
    }


def _groups(profile: Profile) -> list[dict[str, Any]]:
    if profile.notice is not None:
        return [{"name": profile.notice, "type": "select", "proxies": ["REJECT"]}]
    automatic = {
        "name": profile.automatic,
        "type": "url-test",
        "proxies": profile.labels,
        "url": PROBE_URL,
        "interval": PROBE_SECONDS,
        "tolerance": TOLERANCE,
    }
    by_hand = {"name": profile.all_keys, "type": "select", "proxies": [profile.automatic, *profile.labels]}
    return [by_hand, automatic]


def _rules(profile: Profile) -> Sequence[str]:
    private = [
        f"{'IP-CIDR6' if ':' in network else 'IP-CIDR'},{network},DIRECT,no-resolve" for network in PRIVATE_NETWORKS
    ]
    # A comma would end the part of a rule, so that no customer's sentence belongs into one.
    rest = profile.all_keys if profile.notice is None else "REJECT"
    return [f"DOMAIN,{profile.shop_host},DIRECT", *private, f"MATCH,{rest}"]


def _proxy(key: LabelledKey) -> dict[str, Any]:
    if key.key.protocol is Protocol.SHADOWSOCKS:
        shadowsocks = key.node.shadowsocks
        return {
            "name": key.label,
            "type": "ss",
            "server": key.node.host,
            "port": shadowsocks.port,
            "cipher": shadowsocks.method,
            "password": f"{shadowsocks.server_key}:{key.credential}",
            "udp": True,
        }
    reality = key.node.reality
    return {
        "name": key.label,
        "type": "vless",
        "server": key.node.host,
        "port": reality.port,
        "uuid": key.credential,
        "flow": reality.flow,
        "network": "tcp",
        "udp": True,
        "tls": True,
        "servername": reality.server_name,
        "sni": reality.server_name,  # Stash's word for the same
        "client-fingerprint": reality.fingerprint,
        "reality-opts": {"public-key": reality.public_key, "short-id": reality.short_id},
    }

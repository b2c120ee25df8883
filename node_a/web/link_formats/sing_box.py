"""A whole configuration for sing-box 1.12 or newer: its own apps (SFA, SFI, SFM, SFT), Karing.

Fields: docs/configuration of sing-box 1.14. There is no stricter check than `sing-box check`, which the tests run.
"""

import json
from typing import Any, Final

from node_a.application.overview import LabelledKey
from node_a.domain.node import Protocol
from node_a.web.link_formats.network import PROBE_SECONDS, PROBE_URL, RESOLVERS, TOLERANCE
from node_a.web.link_formats.profile import Profile

_DIRECT: Final = "direct"
_LOCAL: Final = "local"
_REMOTE: Final = "remote"
# The app makes this network on the phone; any private one does.
_TUNNEL: Final = {
    "type": "tun",
    "tag": "tun",
    "address": ["172.19.0.1/30", "fdfe:dcba:9876::1/126"],
    "auto_route": True,
    "strict_route": True,
}


def sing_box(profile: Profile) -> str:
    config = {
        "log": {"level": "warn"},
        "dns": _dns(profile),
        "inbounds": [_TUNNEL],
        "outbounds": [*_groups(profile), *map(_outbound, profile.keys), {"type": "direct", "tag": _DIRECT}],
        "route": _route(profile),
    }
    return json.dumps(config, ensure_ascii=False)


def _groups(profile: Profile) -> list[dict[str, Any]]:
    if profile.notice is not None:
        # Shown by its name and nothing else: the route rejects everything.
        return [{"type": "selector", "tag": profile.notice, "outbounds": [_DIRECT]}]
    return [
        {
            "type": "selector",
            "tag": profile.all_keys,
            "outbounds": [profile.automatic, *profile.labels],
            "default": profile.automatic,
            "interrupt_exist_connections": True,  # whoever chooses another server means what is open, too
        },
        {
            "type": "urltest",
            "tag": profile.automatic,
            "outbounds": profile.labels,
            "url": PROBE_URL,
            "interval": f"{PROBE_SECONDS}s",
            "tolerance": TOLERANCE,
        },
    ]


def _outbound(key: LabelledKey) -> dict[str, Any]:
    if key.key.protocol is Protocol.SHADOWSOCKS:
        shadowsocks = key.node.shadowsocks
        return {
            "type": "shadowsocks",
            "tag": key.label,
            "server": key.node.host,
            "server_port": shadowsocks.port,
            "method": shadowsocks.method,
            "password": f"{shadowsocks.server_key}:{key.credential}",
        }
    reality = key.node.reality
    return {
        "type": "vless",
        "tag": key.label,
        "server": key.node.host,
        "server_port": reality.port,
        "uuid": key.credential,
        "flow": reality.flow,
        "tls": {
            "enabled": True,
            "server_name": reality.server_name,
            "utls": {"enabled": True, "fingerprint": reality.fingerprint},
            "reality": {"enabled": True, "public_key": reality.public_key, "short_id": reality.short_id},
        },
    }


def _dns(profile: Profile) -> dict[str, Any]:
    local = {"type": "local", "tag": _LOCAL}
    if profile.notice is not None:
        return {"servers": [local]}
    return {
        "servers": [{"type": "https", "tag": _REMOTE, "server": RESOLVERS[0], "detour": profile.all_keys}, local],
        "rules": [{"domain": [profile.shop_host], "server": _LOCAL}],
        "final": _REMOTE,
        "strategy": "prefer_ipv4",  # not every node has IPv6
    }


def _route(profile: Profile) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [
        {"action": "sniff"},
        {"protocol": "dns", "action": "hijack-dns"},
        {"domain": [profile.shop_host], "outbound": _DIRECT},
    ]
    if profile.notice is not None:
        # Rejected, not let through: nobody must believe that they are hidden when they are not.
        rules.append({"action": "reject"})
        final = profile.notice
    else:
        rules.append({"ip_is_private": True, "outbound": _DIRECT})
        final = profile.all_keys
    return {"rules": rules, "final": final, "auto_detect_interface": True, "default_domain_resolver": _LOCAL}

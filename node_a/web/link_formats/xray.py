"""Whole configurations for Xray, as v2rayNG and Happ take them from a subscription: a list, each with `remarks`.

The first chooses among all keys by itself, each of the others is one key. Fields: xtls.github.io/config.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from node_a.application.overview import LabelledKey
from node_a.domain.node import Protocol
from node_a.web.link_formats.network import PRIVATE_NETWORKS, PROBE_SECONDS, PROBE_URL, RESOLVERS
from node_a.web.link_formats.profile import Profile

_PROXY: Final = "proxy"
_DIRECT: Final = "direct"
_BLOCK: Final = "block"
_AUTOMATIC: Final = "automatic"
# Where v2rayNG and its kin look for them.
_SOCKS_PORT: Final = 10808
_HTTP_PORT: Final = 10809


def xray(profile: Profile) -> str:
    if profile.notice is not None:
        configs = [_config(profile, profile.notice, [], {"outboundTag": _BLOCK})]
    else:
        configs = [_config(profile, key.label, [key], {"outboundTag": f"{_PROXY}-1"}) for key in profile.keys]
        if len(profile.keys) > 1:
            configs.insert(0, _choosing(profile))
    return json.dumps(configs, ensure_ascii=False)


def _choosing(profile: Profile) -> dict[str, Any]:
    config = _config(profile, profile.automatic, profile.keys, {"balancerTag": _AUTOMATIC})
    config["routing"]["balancers"] = [
        {
            "tag": _AUTOMATIC,
            "selector": [_PROXY],
            "strategy": {"type": "leastPing"},
            "fallbackTag": f"{_PROXY}-1",  # until the first measurement
        }
    ]
    config["observatory"] = {
        "subjectSelector": [_PROXY],
        "probeURL": PROBE_URL,
        "probeInterval": f"{PROBE_SECONDS}s",
        "enableConcurrency": True,
    }
    return config


def _config(profile: Profile, name: str, keys: Sequence[LabelledKey], rest: dict[str, str]) -> dict[str, Any]:
    """`rest`: where everything goes that is neither the shop's nor at home."""
    proxies = [_outbound(key, f"{_PROXY}-{number}") for number, key in enumerate(keys, start=1)]
    at_home = [{"type": "field", "ip": list(PRIVATE_NETWORKS), "outboundTag": _DIRECT}] if keys else []
    return {
        "remarks": name,
        "log": {"access": "none", "loglevel": "warning"},
        "dns": {"servers": list(RESOLVERS)},
        "inbounds": _inbounds(),
        "outbounds": [
            *proxies,
            {"tag": _BLOCK, "protocol": "blackhole"},
            {"tag": _DIRECT, "protocol": "freedom"},
        ],
        "routing": {
            "domainStrategy": "AsIs",
            "rules": [
                {"type": "field", "domain": [f"full:{profile.shop_host}"], "outboundTag": _DIRECT},
                *at_home,
                {"type": "field", "network": "tcp,udp", **rest},
            ],
        },
    }


def _inbounds() -> list[dict[str, Any]]:
    sniffing = {"enabled": True, "destOverride": ["http", "tls"]}
    local = {"listen": "127.0.0.1", "sniffing": sniffing}
    return [
        {
            "tag": "socks",
            "protocol": "socks",
            "port": _SOCKS_PORT,
            **local,
            "settings": {"auth": "noauth", "udp": True},
        },
        {"tag": "http", "protocol": "http", "port": _HTTP_PORT, **local},
    ]


def _outbound(key: LabelledKey, tag: str) -> dict[str, Any]:
    if key.key.protocol is Protocol.SHADOWSOCKS:
        shadowsocks = key.node.shadowsocks
        server = {
            "address": key.node.host,
            "port": shadowsocks.port,
            "method": shadowsocks.method,
            "password": f"{shadowsocks.server_key}:{key.credential}",
        }
        return {"tag": tag, "protocol": "shadowsocks", "settings": {"servers": [server]}}
    reality = key.node.reality
    user = {"id": key.credential, "encryption": "none", "flow": reality.flow}
    security = {
        "serverName": reality.server_name,
        "fingerprint": reality.fingerprint,
        "publicKey": reality.public_key,
        "shortId": reality.short_id,
    }
    return {
        "tag": tag,
        "protocol": "vless",
        "settings": {"vnext": [{"address": key.node.host, "port": reality.port, "users": [user]}]},
        "streamSettings": {"network": "tcp", "security": "reality", "realitySettings": security},
    }

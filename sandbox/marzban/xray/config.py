"""The core's configuration: the operator's, with what the panel puts into it, as the original does."""

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sandbox.marzban.cores import CoreUser
from sandbox.marzban.inbounds import Inbound

Config = dict[str, Any]

_API: Final = "API"
_API_INBOUND: Final = "API_INBOUND"


class BadConfig(Exception):
    """The original does not start with it, or not well."""


def read_config(file: Path) -> Config:
    """Raises BadConfig."""
    try:
        config: Config = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadConfig(f"{file} cannot be read ({type(error).__name__})") from None
    if not config.get("inbounds"):
        raise BadConfig("config doesn't have inbounds")
    if not config.get("outbounds"):
        raise BadConfig("config doesn't have outbounds")
    tags = [inbound.get("tag") for inbound in config["inbounds"]]
    if not all(tags) or len(set(tags)) < len(tags):
        raise BadConfig("all inbounds must have a unique tag")
    for inbound in config["inbounds"]:
        _check_inbound(inbound)
    return config


def _check_inbound(inbound: Config) -> None:
    tag = inbound["tag"]
    if "," in tag:
        raise BadConfig("character «,» is not allowed in inbound tag")
    reality = inbound.get("streamSettings", {}).get("realitySettings")
    if reality is None:
        return
    if not reality.get("publicKey"):
        # It would ask the core's key tool, whose answer it cannot read any more.
        raise BadConfig(f"publicKey is missing in realitySettings of {tag}")
    if not any(reality.get("shortIds", [])):
        raise BadConfig(f"You need to define at least one shortID in realitySettings of {tag}")


def inbounds_of(config: Config) -> Sequence[Inbound]:
    """What the panel tells of them."""
    return [
        Inbound(
            tag=inbound["tag"],
            protocol=inbound["protocol"],
            port=int(inbound["port"]),
            tls=inbound.get("streamSettings", {}).get("security", "none"),
        )
        for inbound in config["inbounds"]
    ]


def panel_config(given: Config, api_port: int, users: Sequence[CoreUser]) -> Config:
    """`given` with the panel's API, its statistics and everybody who may connect."""
    config = copy.deepcopy(given)
    for inbound in config["inbounds"]:
        inbound.setdefault("settings", {})["clients"] = _clients(inbound["tag"], users)
    config["api"] = {"services": ["HandlerService", "StatsService", "LoggerService"], "tag": _API}
    config["stats"] = {}
    _put_policy(config)
    api = {
        "listen": "127.0.0.1",
        "port": api_port,
        "protocol": "dokodemo-door",
        "settings": {"address": "127.0.0.1"},
        "tag": _API_INBOUND,
    }
    config["inbounds"].insert(0, api)
    # Before all others, which may forbid what is on loopback.
    rule = {"type": "field", "inboundTag": [_API_INBOUND], "source": ["127.0.0.1"], "outboundTag": _API}
    config.setdefault("routing", {}).setdefault("rules", []).insert(0, rule)
    return config


def _put_policy(config: Config) -> None:
    policy = config.setdefault("policy", {})
    policy.setdefault("levels", {}).setdefault("0", {}).update(statsUserUplink=True, statsUserDownlink=True)
    policy.setdefault("system", {}).update(
        statsInboundDownlink=False, statsInboundUplink=False, statsOutboundDownlink=True, statsOutboundUplink=True
    )


def _clients(tag: str, users: Sequence[CoreUser]) -> list[Mapping[str, Any]]:
    return [{"email": user.email, **user.accounts[tag][1]} for user in users if tag in user.accounts]

"""The configuration that the agent begins with, as it is rendered for a node, and the bare Xray without an agent."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from shared.inbounds import SHADOWSOCKS_METHOD, SHADOWSOCKS_PORT, SHADOWSOCKS_TAG
from tests.node_b.agent_proofs.keys import a_key
from tests.programs import program, running

SERVER_KEY: Final = a_key("server")
# As no customer can be called.
PLACEHOLDER: Final = "placeholder-of-the-proofs"


def a_skeleton() -> str:
    return json.dumps(
        {
            "log": {"access": "none", "loglevel": "warning"},
            "api": {"tag": "api", "listen": "127.0.0.1:0", "services": ["HandlerService", "StatsService"]},
            "stats": {},
            "policy": {"levels": {"0": {"statsUserUplink": True, "statsUserDownlink": True, "statsUserOnline": True}}},
            "inbounds": [
                {
                    "tag": SHADOWSOCKS_TAG,
                    "port": SHADOWSOCKS_PORT,
                    "protocol": "shadowsocks",
                    "settings": {
                        "network": "tcp,udp",
                        "method": SHADOWSOCKS_METHOD,
                        "password": SERVER_KEY,
                        "clients": [{"email": PLACEHOLDER, "password": a_key(PLACEHOLDER)}],
                    },
                }
            ],
            "outbounds": [{"protocol": "freedom"}, {"tag": "BLOCK", "protocol": "blackhole"}],
            "routing": {"rules": [{"ip": ["127.0.0.0/8", "10.0.0.0/8", "::1/128"], "outboundTag": "BLOCK"}]},
        }
    )


def with_users(users: Mapping[str, str], *, api: str) -> str:
    """What a bare Xray needs to carry `users` (keys by name). `api`: where it is asked for them."""
    config: dict[str, Any] = json.loads(a_skeleton())
    config["api"]["listen"] = api
    config["inbounds"][0]["settings"]["clients"] += [{"email": name, "password": key} for name, key in users.items()]
    return json.dumps(config)


@contextmanager
def a_bare_xray(users: Mapping[str, str], directory: Path, *, api: str = "127.0.0.1:10085") -> Iterator[str]:
    """Where its users can be asked for."""
    config = directory / "bare.json"
    config.write_text(with_users(users, api=api), encoding="utf-8")
    with running([program("xray"), "run", "-c", config], SHADOWSOCKS_PORT, directory / "bare.log"):
        yield api

"""Keys as apps read them: `vless://` and `ss://`, taken apart again and made into what each program wants."""

import base64
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

Outbound = dict[str, Any]
TAG: Final = "proxy"


@dataclass(frozen=True)
class VlessLink:
    """`vless://ID@HOST:PORT?QUERY#LABEL`."""

    id: str
    host: str
    port: int
    query: dict[str, str]

    @classmethod
    def read(cls, link: str) -> "VlessLink":
        split = urlsplit(link)
        assert (split.scheme, split.hostname and True, split.port and True) == ("vless", True, True), link
        query = {name: value for name, [value] in parse_qs(split.query, strict_parsing=True).items()}
        assert query["security"] == "reality"
        assert query["type"] == "tcp"
        return cls(unquote(split.username or ""), split.hostname or "", split.port or 0, query)

    def changed(self, **query: str) -> "VlessLink":
        return replace(self, query={**self.query, **query})

    def for_xray(self) -> Outbound:
        query = self.query
        user = {"id": self.id, "encryption": query["encryption"], "flow": query["flow"]}
        reality = {
            "serverName": query["sni"],
            "fingerprint": query["fp"],
            "publicKey": query["pbk"],
            "shortId": query["sid"],
        }
        return {
            "tag": TAG,
            "protocol": "vless",
            "settings": {"vnext": [{"address": self.host, "port": self.port, "users": [user]}]},
            "streamSettings": {"network": query["type"], "security": query["security"], "realitySettings": reality},
        }

    def for_sing_box(self) -> Outbound:
        query = self.query
        return {
            "type": "vless",
            "tag": TAG,
            "server": self.host,
            "server_port": self.port,
            "uuid": self.id,
            "flow": query["flow"],
            "tls": {
                "enabled": True,
                "server_name": query["sni"],
                "utls": {"enabled": True, "fingerprint": query["fp"]},
                "reality": {"enabled": True, "public_key": query["pbk"], "short_id": query["sid"]},
            },
        }


@dataclass(frozen=True)
class ShadowsocksLink:
    """SIP002: `ss://METHOD:PASSWORD@HOST:PORT#LABEL`, percent-encoded for the 2022 methods, base64 for the classic
    ones."""

    method: str
    password: str
    host: str
    port: int

    @classmethod
    def read(cls, link: str) -> "ShadowsocksLink":
        split = urlsplit(link)
        assert (split.scheme, split.hostname and True, split.port and True) == ("ss", True, True), link
        user = split.netloc.rpartition("@")[0]
        if ":" not in user:
            user = base64.urlsafe_b64decode(user + "=" * (-len(user) % 4)).decode()
        method, _, password = user.partition(":")
        return cls(unquote(method), unquote(password), split.hostname or "", split.port or 0)

    @property
    def is_classic(self) -> bool:
        return not self.method.startswith("2022-")

    def for_xray(self) -> Outbound:
        server = {"address": self.host, "port": self.port, "method": self.method, "password": self.password}
        return {"tag": TAG, "protocol": "shadowsocks", "settings": {"servers": [server]}}

    def for_sing_box(self) -> Outbound:
        return {
            "type": "shadowsocks",
            "tag": TAG,
            "server": self.host,
            "server_port": self.port,
            "method": self.method,
            "password": self.password,
        }


Link = VlessLink | ShadowsocksLink


def read_link(link: str) -> Link:
    return VlessLink.read(link) if link.startswith("vless:") else ShadowsocksLink.read(link)


def from_clash(proxy: dict[str, Any]) -> Outbound:
    """An entry of `proxies`, for sing-box: mihomo itself is not at hand. No field of it may be left over."""
    left = dict(proxy)
    common = {"tag": left.pop("name"), "server": left.pop("server"), "server_port": left.pop("port")}
    assert left.pop("udp") is True
    if left.pop("type") == "ss":
        outbound = {"type": "shadowsocks", **common, "method": left.pop("cipher"), "password": left.pop("password")}
    else:
        reality = left.pop("reality-opts")
        server_name, fingerprint = left.pop("servername"), left.pop("client-fingerprint")
        assert (left.pop("network"), left.pop("tls"), left.pop("sni")) == ("tcp", True, server_name)
        outbound = {
            "type": "vless",
            **common,
            "uuid": left.pop("uuid"),
            "flow": left.pop("flow"),
            "tls": {
                "enabled": True,
                "server_name": server_name,
                "utls": {"enabled": True, "fingerprint": fingerprint},
                "reality": {
                    "enabled": True,
                    "public_key": reality.pop("public-key"),
                    "short_id": reality.pop("short-id"),
                },
            },
        }
        left |= reality
    assert not left, left
    return outbound

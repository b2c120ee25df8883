"""What the panel answers about its users and itself."""

import base64
import hashlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import psutil

from sandbox.marzban.inbounds import Inbound
from sandbox.marzban.panel import Broken, Panel, is_unreadable
from sandbox.store import Document
from shared.inbounds import VLESS_PORT

VERSION: Final = "0.8.4"
CORE_VERSION: Final = "26.3.27"
_PUBLIC_KEY: Final = "sandbox-public-key-no-tunnel-behind-it-0000"
_SHORT_ID: Final = "0123456789abcdef"
_SHOWN: Final = (
    "proxies",
    "expire",
    "data_limit",
    "data_limit_reset_strategy",
    "inbounds",
    "note",
    "online_at",
    "on_hold_expire_duration",
    "on_hold_timeout",
    "auto_delete_in_days",
    "next_plan",
    "username",
    "status",
    "used_traffic",
    "lifetime_used_traffic",
    "created_at",
)


def admin(panel: Panel, username: str) -> dict[str, Any]:
    return {
        "username": username,
        "is_sudo": True,
        "telegram_id": None,
        "discord_webhook": None,
        "users_usage": panel.users_usage,
    }


def user(panel: Panel, row: Document, owner: str) -> dict[str, Any]:
    """Raises Broken for a row that cannot be shown."""
    if is_unreadable(row):
        raise Broken
    # Whatever a row says, an inbound that is not in the configuration any more is not there.
    shown = {
        protocol: [tag for tag in tags if tag in panel.tags.get(protocol, [])]
        for protocol, tags in row["inbounds"].items()
    }
    return {name: row[name] for name in _SHOWN} | {
        "sub_updated_at": None,
        "sub_last_user_agent": None,
        "inbounds": shown,
        "links": [_link(panel, row, one) for one in panel.inbounds if one.tag in shown.get(one.protocol, [])],
        "subscription_url": _subscription_url(row),
        "excluded_inbounds": {
            protocol: [tag for tag in panel.tags.get(protocol, []) if tag not in tags]
            for protocol, tags in shown.items()
        },
        "admin": admin(panel, owner),
    }


def usage(used: int) -> dict[str, Any]:
    return {"node_id": None, "node_name": "Master", "used_traffic": used}


def system(panel: Panel) -> dict[str, Any]:
    rows = panel.all()
    statuses = [row["status"] for row in rows]
    memory = psutil.virtual_memory()
    # "Online" is: used traffic in the last 24 hours.
    since = datetime.fromtimestamp(panel.clock(), UTC).replace(tzinfo=None) - timedelta(hours=24)
    online = sum(1 for row in rows if row["online_at"] and datetime.fromisoformat(row["online_at"]) > since)
    return {
        "version": VERSION,
        "mem_total": memory.total,
        "mem_used": memory.used,
        "cpu_cores": psutil.cpu_count() or 1,
        "cpu_usage": float(psutil.cpu_percent()),
        "total_user": len(rows),
        "online_users": online,
        **{
            f"users_{status}": statuses.count(status)
            for status in ("active", "on_hold", "disabled", "expired", "limited")
        },
        "incoming_bandwidth": panel.users_usage // 10,
        "outgoing_bandwidth": panel.users_usage - panel.users_usage // 10,
        "incoming_bandwidth_speed": 0,
        "outgoing_bandwidth_speed": 0,
    }


def core(panel: Panel) -> dict[str, Any]:
    return {"version": CORE_VERSION, "started": panel.core.started, "logs_websocket": "/api/core/logs"}


def inbounds(panel: Panel) -> dict[str, Any]:
    return {
        protocol: [asdict(one) | {"network": "tcp"} for one in panel.inbounds if one.protocol == protocol]
        for protocol in panel.tags
    }


def _link(panel: Panel, row: Document, inbound: Inbound) -> str:
    return _vless_link(panel, row) if inbound.protocol == "vless" else _shadowsocks_link(row, inbound)


def _shadowsocks_link(row: Document, inbound: Inbound) -> str:
    settings = row["proxies"]["shadowsocks"]
    user = base64.b64encode(f"{settings['method']}:{settings['password']}".encode()).decode().rstrip("=")
    return f"ss://{user}@127.0.0.1:{inbound.port}#{quote('QentVPN (' + row['username'] + ')')}"


def _vless_link(panel: Panel, row: Document) -> str:
    # The first link after a start has an empty sid and does not connect.
    sid, panel.sid_known = (_SHORT_ID if panel.sid_known else ""), True
    vless = row["proxies"]["vless"]
    flow = f"&flow={vless['flow']}" if vless["flow"] else ""
    return (
        f"vless://{vless['id']}@127.0.0.1:{VLESS_PORT}?security=reality&type=tcp&headerType={flow}&path=&host="
        f"&sni=decoy.test&fp=chrome&pbk={_PUBLIC_KEY}&sid={sid}#{quote('QentVPN (' + row['username'] + ')')}"
    )


def _subscription_url(row: Document) -> str:
    made = f"{row['username']},{row['revoked_at'] or row['created_at']}"
    token = base64.urlsafe_b64encode(made.encode()).rstrip(b"=").decode()
    return f"/sub/{token}{hashlib.sha256(made.encode()).hexdigest()[:10]}"

"""The signed launch data of a Mini App, made the way Telegram makes it."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any
from urllib.parse import quote, urlencode

VERSION = "9.1"
PLATFORM = "weba"

THEMES: dict[str, dict[str, str]] = {
    "light": {
        "bg_color": "#ffffff",
        "secondary_bg_color": "#f1f1f4",
        "text_color": "#000000",
        "hint_color": "#6c7378",
        "link_color": "#1d74bd",
        "button_color": "#3390ec",
        "button_text_color": "#ffffff",
        "header_bg_color": "#ffffff",
        "bottom_bar_bg_color": "#ffffff",
        "accent_text_color": "#1d74bd",
        "section_bg_color": "#ffffff",
        "section_header_text_color": "#1d74bd",
        "section_separator_color": "#dfe1e5",
        "subtitle_text_color": "#6c7378",
        "destructive_text_color": "#df3f40",
    },
    "dark": {
        "bg_color": "#17212b",
        "secondary_bg_color": "#0e1621",
        "text_color": "#f5f5f5",
        "hint_color": "#8696a4",
        "link_color": "#6ab3f3",
        "button_color": "#4a96dd",
        "button_text_color": "#ffffff",
        "header_bg_color": "#17212b",
        "bottom_bar_bg_color": "#17212b",
        "accent_text_color": "#6ab3f3",
        "section_bg_color": "#17212b",
        "section_header_text_color": "#6ab3f3",
        "section_separator_color": "#0b1118",
        "subtitle_text_color": "#8696a4",
        "destructive_text_color": "#ec6f6f",
    },
}


def signed(token: str, fields: dict[str, str]) -> str:
    """`fields` as a query string with their `hash`: HMAC-SHA256 over the sorted lines, `signature` included."""
    lines = "\n".join(f"{name}={fields[name]}" for name in sorted(fields))
    secret = hmac.digest(b"WebAppData", token.encode(), hashlib.sha256)
    proof = hmac.new(secret, lines.encode(), hashlib.sha256).hexdigest()
    return urlencode({**fields, "hash": proof}, quote_via=quote, safe="")


def launch_url(url: str, *, token: str, user: dict[str, Any], theme: str) -> str:
    """Where the frame of a Mini App goes when `user` opens `url`."""
    shown = {
        name: user[name] for name in ("id", "first_name", "last_name", "username", "language_code") if name in user
    }
    data = signed(
        token,
        {
            "query_id": "AAH" + secrets.token_urlsafe(15),
            "user": json.dumps({**shown, "allows_write_to_pm": True}, ensure_ascii=False, separators=(",", ":")),
            "auth_date": str(int(time.time())),
            # Telegram's own Ed25519 signature cannot be made here; only its shape is.
            "signature": base64.urlsafe_b64encode(secrets.token_bytes(64)).decode().rstrip("="),
        },
    )
    launch = {
        "tgWebAppData": data,
        "tgWebAppVersion": VERSION,
        "tgWebAppPlatform": PLATFORM,
        "tgWebAppThemeParams": json.dumps(THEMES[theme], separators=(",", ":")),
    }
    return url + ("&" if "#" in url else "#") + urlencode(launch, quote_via=quote, safe="")

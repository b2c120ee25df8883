"""What every answer says to browsers: what they may load, frame, remember and tell others."""

from collections.abc import Callable
from typing import Final

from flask import Response, request

from node_a.web.needs import Web

_ONE_YEAR: Final = 365 * 24 * 3600
# In a frame Telegram's script adds an empty <style>: this is the hash of nothing, and allows nothing else.
_EMPTY_STYLE: Final = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
_PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)"


def security_headers(web: Web) -> Callable[[Response], Response]:
    """An `after_request` function."""
    scripts = " ".join(filter(None, ["'self'", web.telegram_script_origin]))
    # Telegram Web shows the Mini App in a frame; nothing else of ours belongs into one.
    framed = _policy(scripts, f"'self' {_EMPTY_STYLE}", " ".join(["'self'", *web.frame_ancestors]))
    alone = _policy("'self'", "'self'", "'none'")
    secure = web.public_url.startswith("https://")

    def add(response: Response) -> Response:
        mini_app = request.path == "/app" or request.path.startswith("/app/")
        headers = response.headers
        headers["Content-Security-Policy"] = framed if mini_app else alone
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Permissions-Policy"] = _PERMISSIONS
        if secure:
            headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR}"
        if "Cache-Control" not in headers or response.status_code >= 400:
            headers["Cache-Control"] = "no-store"
        return response

    return add


def _policy(scripts: str, styles: str, frame_ancestors: str) -> str:
    return (
        f"default-src 'none'; script-src {scripts}; style-src {styles}; img-src 'self' data:; "
        f"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors {frame_ancestors}"
    )

"""Our own script and style: named by their content, so that browsers may keep them for ever."""

import hashlib
from pathlib import Path
from typing import Final

from flask import Flask, Response, request

DIRECTORY: Final = Path(__file__).with_name("static")
_FOR_EVER: Final = "public, max-age=31536000, immutable"


def asset_urls() -> dict[str, str]:
    """File name → address with the content's hash."""
    return {file.name: f"/static/{file.name}?v={_digest(file)}" for file in DIRECTORY.iterdir() if file.is_file()}


def let_browsers_keep_them(app: Flask, urls: dict[str, str]) -> None:
    """Only under the address with the right hash; a page of the last release must not pin a file of this one."""
    current = set(urls.values())

    @app.after_request
    def cache(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code < 400:
            asked = f"{request.path}?{request.query_string.decode('latin-1')}"
            response.headers["Cache-Control"] = _FOR_EVER if asked in current else "no-cache"
        return response


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]

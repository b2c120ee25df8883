"""Keys that are obviously no secrets."""

import base64
import hashlib

from shared.inbounds import SHADOWSOCKS_KEY_BYTES


def a_key(of: str) -> str:
    """The same for the same words."""
    return base64.b64encode(hashlib.sha256(of.encode()).digest()[:SHADOWSOCKS_KEY_BYTES]).decode()

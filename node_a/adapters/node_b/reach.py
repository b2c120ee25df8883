"""Whether customers would reach a node: we knock at their ports, as their apps do."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Final

from shared.inbounds import SHADOWSOCKS_PORT, VLESS_PORT

# Seconds; whoever waits longer for a connection has given up.
_PATIENCE: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicAddress:
    """Where customers reach a node. `server_name`: the site that its Reality borrows."""

    host: str
    server_name: str
    vless_port: int = VLESS_PORT
    shadowsocks_port: int = SHADOWSOCKS_PORT


async def vless_answers(address: PublicAddress) -> bool:
    """Whether a TLS handshake succeeds, with the certificate of whoever it is: Reality shows strangers the site that it
    borrows, and fails with that site."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return await _connects(address.host, address.vless_port, context, address.server_name)


async def shadowsocks_answers(address: PublicAddress) -> bool:
    """Whether a connection is taken: to strangers Shadowsocks says nothing more."""
    return await _connects(address.host, address.shadowsocks_port, None, None)


async def _connects(host: str, port: int, context: ssl.SSLContext | None, server_name: str | None) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=server_name)
    except (OSError, ValueError):  # ValueError: a name that is none
        return False
    writer.transport.abort()  # without a farewell: nobody may keep us waiting for theirs
    return True

"""The inbounds of a node: the tags, ports and settings on which Node A and Node B must agree."""

from typing import Final

VLESS_TAG: Final = "VLESS TCP REALITY"
VLESS_PORT: Final = 2053
VLESS_FLOW: Final = "xtls-rprx-vision"

SHADOWSOCKS_TAG: Final = "Shadowsocks 2022"
SHADOWSOCKS_PORT: Final = 443
# The only Shadowsocks-2022 method with several users and a short key; chacha20 has no multi-user kind.
SHADOWSOCKS_METHOD: Final = "2022-blake3-aes-128-gcm"
SHADOWSOCKS_KEY_BYTES: Final = 16

# The classic Shadowsocks for Outline's client, which knows nothing newer: optional, on a port that each node chooses.
OUTLINE_TAG: Final = "Shadowsocks TCP"
OUTLINE_METHOD: Final = "chacha20-ietf-poly1305"

# Node B's proxy, the only door for Node A.
PROXY_PORT: Final = 8443
# Where Node B's proxy puts the agent, beside the panel's own /api/.
AGENT_PREFIX: Final = "/agent"
# And where it forwards to Telegram's Bot API.
TELEGRAM_PREFIX: Final = "/telegram"

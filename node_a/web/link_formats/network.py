"""What the forms have in common about the world outside."""

from typing import Final

# Where an app measures which key is the quickest: an empty answer from a place that is near everywhere.
PROBE_URL: Final = "https://www.gstatic.com/generate_204"
PROBE_SECONDS: Final = 180
# A key must be this much quicker (milliseconds) to be preferred, else apps would jump to and fro.
TOLERANCE: Final = 100

# Asked through the tunnel: providers answer wrongly for blocked names. By address, since names cannot be asked before.
RESOLVERS: Final = ("1.1.1.1", "8.8.8.8")

# What is at home stays there: printers, routers. Spelled out, because the lists of apps may not be loaded yet.
PRIVATE_NETWORKS: Final = (
    "10.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
)

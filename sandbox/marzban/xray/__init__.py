"""The real core behind the panel's stand-in: nothing of this is needed, nor imported, without `--xray`."""

from sandbox.marzban.xray.config import BadConfig, inbounds_of, read_config
from sandbox.marzban.xray.driving import XrayCore

__all__ = ["BadConfig", "XrayCore", "inbounds_of", "read_config"]

"""Where a tax receipt goes: the buyer's own e-mail."""

import re
from typing import Final

LONGEST_ADDRESS: Final = 254  # RFC 5321, and what the ledger holds
_LONGEST_NAME: Final = 64
# Stricter than what may exist: an address that the provider then refuses would lose the sale.
_NAME: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"({_NAME})@(?:{_LABEL}\.)+(?=[A-Za-z]){_LABEL}")


def receipt_address(text: str | None) -> str | None:
    """The address without the blanks that phones put around it; None if it is none."""
    address = (text or "").strip()
    match = _ADDRESS.fullmatch(address) if len(address) <= LONGEST_ADDRESS else None
    return address if match and len(match[1]) <= _LONGEST_NAME else None

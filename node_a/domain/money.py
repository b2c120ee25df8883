"""Money: a whole number of the smallest unit and a currency; never a float."""

import re
from dataclasses import dataclass
from typing import Final

_DECIMAL: Final = re.compile(r"([0-9]{1,12})\.([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Money:
    """`minor_units`: kopecks for RUB. `currency`: ISO 4217."""

    minor_units: int
    currency: str = "RUB"

    @classmethod
    def parse(cls, text: str, currency: str = "RUB") -> "Money":
        """From a decimal with exactly two places ("199.00"); ValueError for anything else."""
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise ValueError(f"not an amount with two decimals: {text!r}")
        return cls(int(match[1]) * 100 + int(match[2]), currency)

    def __str__(self) -> str:
        return f"{self.minor_units // 100}.{self.minor_units % 100:02d}"

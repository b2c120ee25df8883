"""A customer: a Telegram user."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NewType

CustomerId = NewType("CustomerId", int)  # Telegram's own id: up to 52 bits

# Whose payments those of an erased customer become: Telegram gives nobody this id.
NOBODY: Final = CustomerId(0)


class Language(StrEnum):
    """The languages in which the shop speaks."""

    RUSSIAN = "ru"
    ENGLISH = "en"

    @classmethod
    def best_for(cls, tag: str | None, default: "Language") -> "Language":
        """The language for an IETF tag as Telegram sends it ("en-GB"), or the default when there is none."""
        if not tag:
            return default
        primary = tag.replace("_", "-").split("-")[0].lower()
        if primary in set(map(str, cls)):
            return cls(primary)
        # Whoever reads neither is better off with English, except where Russian is the common second language.
        return cls.RUSSIAN if primary in {"uk", "be", "kk", "uz", "ky", "tg", "hy", "az"} else cls.ENGLISH


class Standing(StrEnum):
    """Whether this customer may use the shop."""

    GOOD = "good"
    BANNED = "banned"
    DELETED = "deleted"  # asked to be erased; goes as soon as no node holds anything of them


@dataclass(frozen=True, slots=True)
class Customer:
    """`reachable`: false once the customer has blocked the bot; writing again makes it true."""

    id: CustomerId
    language: Language
    standing: Standing = Standing.GOOD
    reachable: bool = True

    def seen(self, language: Language) -> "Customer":
        return replace(self, language=language, reachable=True)

    def lost(self) -> "Customer":
        return replace(self, reachable=False)

    def now_in(self, standing: Standing) -> "Customer":
        return replace(self, standing=standing)

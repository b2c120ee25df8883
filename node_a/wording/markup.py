"""The few marks of Telegram's HTML that letters use; whatever is data or a sentence goes through `plain` first."""

import html


def plain(text: str) -> str:
    """Text as text, whatever is in it."""
    return html.escape(text, quote=False)


def bold(text: str) -> str:
    return f"<b>{plain(text)}</b>"


def code(text: str) -> str:
    """A tap copies it, and no preview is made of a link in it."""
    return f"<code>{plain(text)}</code>"


def lines(*parts: str) -> str:
    """Below each other; empty ones are left out."""
    return "\n".join(filter(None, parts))


def paragraphs(*parts: str) -> str:
    """With an empty line between; empty ones are left out."""
    return "\n\n".join(filter(None, parts))


def shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def length(text: str) -> int:
    """As Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2

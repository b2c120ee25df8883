"""Letters as people and Telegram read them."""

from node_a.application.ports import ActionButton, CopyButton, Letter
from sandbox.telegram.entities import read_html, utf16_length


def text(letter: Letter) -> str:
    """As the customer reads it, with ordinary spaces."""
    return read_html(letter.html)[0].replace("\u00a0", " ")


def copied(letter: Letter) -> list[str]:
    """What a tap copies: from the text and by buttons."""
    shown, entities = read_html(letter.html)
    units = shown.encode("utf-16-le")
    spans = [(e["offset"] * 2, (e["offset"] + e["length"]) * 2) for e in entities if e["type"] == "code"]
    in_text = [units[start:end].decode("utf-16-le") for start, end in spans]
    return in_text + [button.text for button in letter.buttons if isinstance(button, CopyButton)]


def assert_telegram_takes(letter: Letter) -> None:
    shown, entities = read_html(letter.html)  # raises what Telegram refuses
    assert 0 < utf16_length(shown) <= (1024 if letter.picture else 4096)
    assert {entity["type"] for entity in entities} <= {"bold", "code"}
    assert "%(" not in shown
    assert len(letter.buttons) <= 100
    for button in letter.buttons:
        assert 0 < len(button.label) <= 32
        if isinstance(button, CopyButton):
            assert 0 < len(button.text) <= 256
        if isinstance(button, ActionButton):
            assert 0 < len(button.action.encode()) <= 64

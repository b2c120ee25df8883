"""Lists in a letter, as long as Telegram takes them."""

from collections.abc import Callable
from typing import Final

from node_a.application.ports import Letter
from node_a.wording.markup import length

# Telegram takes 4096 without the marks; these are counted, too.
LONGEST: Final = 4000


def as_much_as_fits(letter_of: Callable[[int], Letter], most: int) -> Letter:
    """`letter_of`: the letter with at most so many entries, which itself says how many it leaves out. One always
    fits."""
    letters = map(letter_of, range(most, 1, -1))
    return next((letter for letter in letters if length(letter.html) <= LONGEST), None) or letter_of(1)

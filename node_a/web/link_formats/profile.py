"""What every form is made of: a profile, as apps call what they make of a link."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from node_a.application.overview import LabelledKey

# Names that apps give a meaning of their own; a key that is called so would be taken for it.
_TAKEN: Final = ("DIRECT", "REJECT", "REJECT-DROP", "PASS", "COMPATIBLE", "GLOBAL", "direct", "block")


@dataclass(frozen=True, slots=True)
class Profile:
    """`keys`: in the order in which they are offered, no two with the same label; `notice`: why there are none, None
    if there are; `all_keys` and `automatic`: what the groups are called that an app shows, the first to choose from by
    hand; `shop_host`: the name that must be reachable without a working key, since keys are renewed there."""

    all_keys: str
    automatic: str
    shop_host: str
    keys: Sequence[LabelledKey] = field(repr=False)
    notice: str | None = None

    @property
    def labels(self) -> list[str]:
        return [key.label for key in self.keys]

    @property
    def made_of(self) -> tuple[str, ...]:
        """Two profiles for which this is the same look the same in every form: a link holds all of its key."""
        links = (part for key in self.keys for part in (key.label, key.key.link))
        return (self.all_keys, self.automatic, self.shop_host, self.notice or "", *links)


def profile_of(
    keys: Iterable[LabelledKey], *, all_keys: str, automatic: str, shop_host: str, notice: str | None
) -> Profile:
    """`notice` is for when there are no keys."""
    named = _named_apart(keys, [*_TAKEN, all_keys, automatic])
    return Profile(all_keys, automatic, shop_host, named, None if named else notice)


def _named_apart(keys: Iterable[LabelledKey], taken: Iterable[str]) -> list[LabelledKey]:
    """Clash and sing-box refuse a file with one name twice, and two servers may be called the same."""
    used = set(taken)
    named = []
    for key in keys:
        label, number = key.label, 1
        while label in used:
            number += 1
            label = f"{key.label} {number}"
        used.add(label)
        named.append(replace(key, label=label))
    return named

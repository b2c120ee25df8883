"""Who got less than was paid for, and who got more."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

_DAY: Final = 86_400.0
# The days are counted from the moment of settling, which nobody sees from outside; it is not before the money came, and
# not half an hour after.
SETTLED_WITHIN: Final = 30 * 60.0
# Letters name the minute in which a subscription ends.
_MINUTE: Final = 60.0
_SCHEMES: Final = ("ss", "vless")


@dataclass(frozen=True, slots=True)
class Account:
    """One customer as seen from outside. `paid` and `succeeded`: the provider's ids of the payments that the customer
    paid, and of those that the provider calls succeeded; `days`: what each of the latter bought. In seconds since the
    epoch: `first_paid_at`; `promised_ends`, which letters with keys name; `ends`, by key, as whoever keeps it on its
    node has it."""

    customer: int
    paid: frozenset[str] = frozenset()
    succeeded: frozenset[str] = frozenset()
    days: tuple[int, ...] = ()
    first_paid_at: float = 0.0
    keys_messages: int = 0
    promised_ends: frozenset[float] = frozenset()
    chat_keys: frozenset[str] = frozenset()
    linked_keys: frozenset[str] = frozenset()
    ends: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promise:
    """What the shop owes to whoever paid: keys on each of `hosts`, which outlive what was paid for by `grace_days`, so
    that there is a way to renew."""

    hosts: frozenset[str]
    grace_days: int

    @property
    def keys(self) -> set[tuple[str, str]]:
        """Scheme and host of each."""
        return {(scheme, host) for scheme in _SCHEMES for host in self.hosts}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost` and `doubled`: a sentence for each customer (or user of a node) concerned."""

    lost: Sequence[str]
    doubled: Sequence[str]
    repeated_messages: int


def verdict(accounts: Iterable[Account], strangers: Iterable[str], promise: Promise) -> Verdict:
    """`strangers`: users of the nodes whose keys no customer was given."""
    lost, doubled, repeated = [], [], 0
    for account in accounts:
        if missing := "; ".join(_missing(account, promise)):
            lost.append(f"customer {account.customer}: {missing}")
        if surplus := "; ".join(_surplus(account, promise)):
            doubled.append(f"customer {account.customer}: {surplus}")
        if account.days:
            repeated += max(0, account.keys_messages - len(account.days))
    doubled += [f"user {name}: nobody was given these keys" for name in strangers]
    return Verdict(lost, doubled, repeated)


def _missing(account: Account, promise: Promise) -> Iterator[str]:
    for payment in sorted(account.paid - account.succeeded):
        yield f"payment {payment} was paid, and the provider does not call it succeeded"
    for payment in sorted(account.succeeded - account.paid):
        yield f"the provider calls payment {payment} succeeded, and the customer knows nothing of paying it"
    if not account.days:
        return
    if account.keys_messages < len(account.days):
        yield f"{len(account.days)} paid, {account.keys_messages} messages with keys"
    # Grants that are provided at once are told with the same end, the last one. Whichever letter comes last, one of
    # them must name it.
    if max(account.promised_ends, default=0.0) + _MINUTE <= _earliest_end(account):
        yield "no message with keys names the end that was paid for"
    if not account.chat_keys:
        yield "no key in the chat"
    if account.chat_keys - account.linked_keys:
        yield "a key in the chat is not in the subscription link"
    held = [place_of(key) for key in account.linked_keys]
    if sorted(held) != sorted(promise.keys):
        yield f"the subscription link holds {sorted(held)}"
    earliest = _earliest_end(account) + promise.grace_days * _DAY
    for key in sorted(account.linked_keys):
        (scheme, host), end = place_of(key), account.ends.get(key)
        if end is None:
            yield f"{host} does not know the {scheme} key"
        elif end < earliest:
            yield f"the {scheme} key of {host} ends {(earliest - end) / _DAY:.2f} days too early"


def _surplus(account: Account, promise: Promise) -> Iterator[str]:
    if not account.days:
        if account.keys_messages or account.linked_keys:
            yield "keys without a payment"
        return
    latest = _earliest_end(account) + SETTLED_WITHIN
    if max(account.promised_ends, default=0.0) > latest:
        yield "a message with keys promises more days than were paid for"
    latest += promise.grace_days * _DAY
    for key, end in sorted(account.ends.items()):
        if end > latest:
            scheme, host = place_of(key)
            yield f"the {scheme} key of {host} ends {(end - latest) / _DAY:.2f} days too late"


def place_of(key: str) -> tuple[str, str]:
    """Scheme and host."""
    split = urlsplit(key)
    return split.scheme, split.hostname or ""


def _earliest_end(account: Account) -> float:
    return account.first_paid_at + sum(account.days) * _DAY

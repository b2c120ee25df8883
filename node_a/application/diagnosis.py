"""Diagnosis: "it does not work?", asked of this customer's own case: what is found, and what to do about each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from node_a.application.overview import TrafficView
from node_a.application.statistics import NodeTroubles
from node_a.domain.customer import CustomerId, Standing
from node_a.domain.node import Keeper, Node, NodeCode, Protocol
from node_a.domain.subscription import SubscriptionId, SubscriptionState

# What was used within this works as far as we can see.
RECENTLY: Final = timedelta(hours=24)


class Trouble(StrEnum):
    """What may be the matter."""

    BANNED = "banned"
    BEING_ERASED = "being erased"
    NOTHING_BOUGHT = "nothing bought"
    EXPIRED = "expired"
    IN_GRACE = "in grace"
    TRAFFIC_USED_UP = "traffic used up"
    NO_SERVER_ANSWERS = "no server answers"
    SERVER_DOWN = "server down"
    KEYS_ON_THE_WAY = "keys on the way"
    SERVER_CLOCK = "server's clock"
    NEVER_USED = "never used"
    NOT_USED_LATELY = "not used lately"
    NOTHING_FOUND = "nothing found"
    PHONE_CLOCK = "phone's clock"  # Shadowsocks refuses one that is more than 30 s off


class Remedy(StrEnum):
    """The one thing to do about it."""

    CHOOSE_PLAN = "choose a plan"
    RENEW = "renew"
    REFRESH_LINK = "refresh the link"
    GUIDE = "guide"
    REPAIR = "repair"
    NEW_KEYS = "new keys"
    LOOK_AGAIN = "look again"
    SUPPORT = "support"


@dataclass(frozen=True, slots=True)
class Finding:
    """`keepers`: where, for what is the matter with servers."""

    trouble: Trouble
    remedy: Remedy
    keepers: Sequence[Keeper] = ()


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """One key that the customer should have. `works`: its node holds it; `used_at`: when it last had traffic."""

    keeper: Keeper
    works: bool
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What is known of one customer's case, with no key and no link in it: it is for other eyes, too. `ends_at`: the
    paid end; `may_rotate`: whether they may take new keys now."""

    customer_id: CustomerId
    standing: Standing
    subscription_id: SubscriptionId | None = None
    state: SubscriptionState | None = None
    ends_at: datetime | None = None
    traffic: TrafficView | None = None
    keys: Sequence[KeyFacts] = ()
    nodes: Mapping[NodeCode, NodeTroubles] = field(default_factory=dict)
    may_rotate: bool = False

    def is_broken(self, keeper: Keeper) -> bool:
        node = self.nodes.get(keeper.node)
        return node is not None and keeper.protocol in node.broken

    def used_at(self, protocol: Protocol | None = None) -> datetime | None:
        """When a key, of this protocol or of any, last had traffic."""
        of_it = [key for key in self.keys if protocol in {None, key.keeper.protocol}]
        return max((key.used_at for key in of_it if key.used_at), default=None)


def diagnose(facts: CaseFacts, now: datetime) -> Sequence[Finding]:
    """What is the matter, the likeliest cause first; never empty."""
    ending = _without_keys(facts)
    if ending is not None:
        return [ending]
    found = []
    if facts.state is SubscriptionState.GRACE:
        found.append(Finding(Trouble.IN_GRACE, Remedy.RENEW))
    found += _with_servers(facts)
    return [*found, *_with_use(facts, now, everything_is_well=not found)]


def _without_keys(facts: CaseFacts) -> Finding | None:
    """Why no key can work, if that is so: then nothing else matters."""
    if facts.standing is not Standing.GOOD:
        banned = facts.standing is Standing.BANNED
        return Finding(Trouble.BANNED if banned else Trouble.BEING_ERASED, Remedy.SUPPORT)
    if facts.state is None:
        return Finding(Trouble.NOTHING_BOUGHT, Remedy.CHOOSE_PLAN)
    if facts.state is SubscriptionState.EXPIRED:
        return Finding(Trouble.EXPIRED, Remedy.RENEW)
    if facts.state is SubscriptionState.SUSPENDED:
        return Finding(Trouble.TRAFFIC_USED_UP, Remedy.RENEW)
    return None


def _with_servers(facts: CaseFacts) -> list[Finding]:
    keepers = [key.keeper for key in facts.keys]
    broken = [keeper for keeper in keepers if facts.is_broken(keeper)]
    if broken and len(broken) == len(keepers):
        return [Finding(Trouble.NO_SERVER_ANSWERS, Remedy.LOOK_AGAIN, broken)]
    found = [Finding(Trouble.SERVER_DOWN, Remedy.REFRESH_LINK, broken)] if broken else []
    missing = [key.keeper for key in facts.keys if not key.works and key.keeper not in broken]
    if missing or not keepers:
        found.append(Finding(Trouble.KEYS_ON_THE_WAY, Remedy.REPAIR, missing))
    off = [keeper for keeper in keepers if keeper not in broken and _refuses_by_its_clock(facts, keeper)]
    if off:
        found.append(Finding(Trouble.SERVER_CLOCK, Remedy.REFRESH_LINK, off))
    return found


def _refuses_by_its_clock(facts: CaseFacts, keeper: Keeper) -> bool:
    node = facts.nodes.get(keeper.node)
    return keeper.protocol is Protocol.SHADOWSOCKS and node is not None and node.clock_off is not None


def _with_use(facts: CaseFacts, now: datetime, *, everything_is_well: bool) -> list[Finding]:
    working = {key.keeper.protocol for key in facts.keys if key.works and not facts.is_broken(key.keeper)}
    if not working:
        return []  # what is not there cannot be used
    used_at, found = facts.used_at(), []
    if used_at is None:
        found.append(Finding(Trouble.NEVER_USED, Remedy.GUIDE))
    elif everything_is_well and now - used_at > RECENTLY:
        found.append(Finding(Trouble.NOT_USED_LATELY, Remedy.REPAIR))
    elif everything_is_well:
        found.append(Finding(Trouble.NOTHING_FOUND, Remedy.NEW_KEYS if facts.may_rotate else Remedy.SUPPORT))
    by_clock = facts.used_at(Protocol.SHADOWSOCKS)
    if Protocol.SHADOWSOCKS in working and (by_clock is None or now - by_clock > RECENTLY):
        found.append(Finding(Trouble.PHONE_CLOCK, Remedy.LOOK_AGAIN))
    return found


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`nodes`: those that the findings may name; `link`: the subscription link, while it has anything to give."""

    facts: CaseFacts
    findings: Sequence[Finding]
    nodes: Sequence[Node] = ()
    link: str | None = field(default=None, repr=False)

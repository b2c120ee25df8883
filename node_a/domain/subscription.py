"""A subscription: what a customer may use, and until when."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType
from uuid import UUID

from node_a.domain.customer import CustomerId
from node_a.domain.grant import Grant, GrantId
from node_a.domain.plan import Plan

SubscriptionId = NewType("SubscriptionId", UUID)

# How long before the end a customer is reminded, the farthest first.
REMINDERS: Final = (timedelta(days=3), timedelta(days=1))
# Of the limit: whoever has used so much is told, once in each period.
NEARLY_ALL: Final = 0.8


class SubscriptionState(StrEnum):
    """What the customer has right now."""

    ACTIVE = "active"
    SUSPENDED = "suspended"  # the traffic of this period is used up
    GRACE = "grace"  # ended; the keys live a little longer, so that it can be renewed
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class TrafficPeriod:
    """In which traffic is counted against one limit. `limit`: bytes, None for unlimited."""

    starts_at: datetime
    ends_at: datetime
    limit: int | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """`rotation` counts "new keys"; `revision` counts every change that nodes must hear of; `secret_number`: which
    secret of the ring its keys are derived from. `grants` are in order of their start and never overlap; a grace grant
    is the last. `suspended`: the traffic of the present period is used up; `counted_from`: since when traffic is
    counted against the limit."""

    id: SubscriptionId
    customer_id: CustomerId
    secret_number: int
    grants: tuple[Grant, ...] = ()
    rotation: int = 0
    revision: int = 0
    suspended: bool = False
    counted_from: datetime | None = None

    @property
    def ends_at(self) -> datetime | None:
        """When the keys end; with grace, later than what was paid for."""
        return max((grant.ends_at for grant in self.grants), default=None)

    @property
    def paid_until(self) -> datetime | None:
        """When the days end that somebody gave: what the customer is told."""
        return max((grant.ends_at for grant in self.grants if not grant.is_grace), default=None)

    def state(self, now: datetime) -> SubscriptionState:
        if not self.runs(now):
            return SubscriptionState.EXPIRED
        if self.is_in_grace(now):
            # What there was for renewing is used up, too: then it has just ended.
            return SubscriptionState.EXPIRED if self.suspended else SubscriptionState.GRACE
        return SubscriptionState.SUSPENDED if self.suspended else SubscriptionState.ACTIVE

    def runs(self, now: datetime) -> bool:
        """Whether there are days left, grace included; the keys may be suspended all the same."""
        return self.ends_at is not None and now < self.ends_at

    def is_in_grace(self, now: datetime) -> bool:
        """Whether the days that somebody gave are over, and only the keys live on."""
        return self.runs(now) and self.paid_until is not None and self.paid_until <= now

    def is_active(self, now: datetime) -> bool:
        """Whether its keys are to work."""
        return self.runs(now) and not self.suspended

    def plan_at(self, moment: datetime) -> Plan | None:
        grant = self._grant_at(moment)
        return grant.plan if grant else None

    def days_left(self, now: datetime) -> int:
        """Whole and begun days until the paid end: a customer with an hour left has one day, not none."""
        paid_until = self.paid_until
        if paid_until is None or paid_until <= now:
            return 0
        return -((now - paid_until) // timedelta(days=1))

    def has_grant_of(self, source: str) -> bool:
        return any(grant.source == source for grant in self.grants)

    def granted(self, grant_id: GrantId, source: str, plan: Plan, now: datetime) -> "Subscription":
        """With the plan's days added, once per source: a repeated call changes nothing. A grace grant moves to the new
        end. At the traffic limit the counting begins anew: whoever pays can go on at once."""
        if self.has_grant_of(source):
            return self
        given = [grant for grant in self.grants if not grant.is_grace]
        # Renewing early must not eat paid days: the new interval starts where the last one ends.
        start = max([now, *(grant.ends_at for grant in given)])
        grant = Grant(grant_id, source, plan, start, start + plan.period)
        grace = [one.moved(grant.ends_at - one.starts_at) for one in self.grants if one.is_grace]
        longer = replace(self, grants=(*given, grant, *grace))
        if self.suspended and self.runs(now):
            longer = replace(longer, suspended=False, counted_from=now)
        return longer.revised()

    def with_grace(self, grant_id: GrantId, plan: Plan | None) -> "Subscription":
        """With the plan's days after the end, or with none; whoever has had nothing but a trial gets none."""
        given = [grant for grant in self.grants if not grant.is_grace]
        had = next((grant for grant in self.grants if grant.is_grace), None)
        if plan is None or self.paid_until is None or all(grant.is_trial for grant in given):
            # Its row stays, and lasts no time: the nodes are told of an end, not of grants.
            grace = had.lasting(timedelta(0)) if had else None
        else:
            grace = (had or Grant.grace(grant_id, self.id, plan, self.paid_until)).lasting(plan.period)
        changed = replace(self, grants=(*given, grace) if grace else self.grants)
        return self if changed == self else changed.revised()

    def refunded(self, source: str, days_taken: int, now: datetime) -> "Subscription":
        """With so many days in all taken back from the grant of `source`; later grants move up, so that no gap opens.
        A repeated call changes nothing, and so does one for a source that has no grant."""
        grants: list[Grant] = []
        gap = timedelta(0)
        for grant in self.grants:
            moved = grant.moved(-gap) if gap else grant
            if grant.source == source:
                moved = grant.shortened(days_taken, now)
                gap = grant.ends_at - moved.ends_at
            grants.append(moved)
        changed = replace(self, grants=tuple(grants))
        return self if changed == self else changed.revised()

    def revised(self) -> "Subscription":
        """Changed in a way that every node must hear of."""
        return replace(self, revision=self.revision + 1)

    def rotated(self, secret_number: int | None = None) -> "Subscription":
        """With other keys and another link; made from another secret, if one is named."""
        number = self.secret_number if secret_number is None else secret_number
        return replace(self, rotation=self.rotation + 1, secret_number=number).revised()

    # ── traffic ──

    def traffic_period(self, now: datetime) -> TrafficPeriod | None:
        """The one that traffic is counted in now; None when no grant covers this moment."""
        grant = self._grant_at(now)
        if grant is None:
            return None
        start, end = grant.traffic_period(now)
        # From later than the end: our clock was wrong then.
        if self.counted_from is None or not start < self.counted_from < end:
            return TrafficPeriod(start, end, grant.plan.traffic_limit)
        # Renewed at the limit: the better of what runs and what was bought, unless that was all paid back.
        ahead = [one for one in self.grants if one.ends_at > max(now, one.starts_at) and not one.is_grace]
        limits = [one.plan.traffic_limit for one in ahead]
        known = [limit for limit in limits if limit is not None]
        return TrafficPeriod(self.counted_from, end, max(known) if known and len(known) == len(limits) else None)

    def turned(self, now: datetime) -> "Subscription":
        """In the period of `now`: once it is another one than was counted in, what was suspended works again."""
        period = self.traffic_period(now)
        if period is None or (self.counted_from and period.starts_at <= self.counted_from < period.ends_at):
            return self
        turned = replace(self, suspended=False, counted_from=period.starts_at)
        # Each period has its own limit on the nodes. Whoever was not counted before has just been given something.
        is_news = self.counted_from is not None and (self.suspended or self._is_limited_at(self.counted_from, now))
        return turned.revised() if is_news else turned

    def has_used_up(self, used: int, now: datetime) -> bool:
        """Whether so many bytes in this period are all that it has."""
        period = self.traffic_period(now)
        return period is not None and period.limit is not None and used >= period.limit

    def has_little_left(self, used: int, now: datetime) -> bool:
        """Whether so many bytes in this period are nearly all that it has, or all."""
        period = self.traffic_period(now)
        return period is not None and period.limit is not None and used >= period.limit * NEARLY_ALL

    def _is_limited_at(self, *moments: datetime) -> bool:
        periods = [self.traffic_period(moment) for moment in moments]
        return any(period is None or period.limit is not None for period in periods)

    def suspended_now(self) -> "Subscription":
        return self if self.suspended else replace(self, suspended=True).revised()

    # ── time ──

    def next_change(self, now: datetime) -> datetime | None:
        """When time alone next changes something: the paid end, the keys' end, a new traffic period. What has ended is
        due at its end."""
        period = self.traffic_period(now)
        moments = [self.paid_until, self.ends_at, period.ends_at if period else None]
        return min((one for one in moments if one is not None and one > now), default=self.ends_at)

    def reminder_due(self, now: datetime) -> timedelta | None:
        """How long before the end the reminder is that is due by now; the nearest to the end, if several are."""
        paid_until = self.paid_until
        if paid_until is None or now >= paid_until:
            return None
        return min((before for before in REMINDERS if paid_until - before <= now), default=None)

    def next_reminder(self, now: datetime) -> datetime | None:
        """When the next reminder is due; None when none is left before the end."""
        paid_until = self.paid_until
        if paid_until is None:
            return None
        return min((paid_until - before for before in REMINDERS if paid_until - before > now), default=None)

    def _grant_at(self, moment: datetime) -> Grant | None:
        return next((grant for grant in self.grants if grant.covers(moment)), None)

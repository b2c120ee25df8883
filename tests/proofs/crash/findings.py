"""What is wrong after a purchase has come to its end, in sentences; nothing, if the promise was kept."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, Table, func, select

from node_a.adapters.database.ledger import Database
from node_a.adapters.database.tables import accesses, messages, payments
from node_a.application.ports import Ledger
from node_a.domain.access import user_name
from node_a.domain.message import MessageKind
from node_a.domain.node import Protocol
from node_a.domain.subscription import Subscription
from tests.builders import ANNA, RING
from tests.proofs.crash.composition import NODE, PLANS
from tests.proofs.crash.stage import Stage


@dataclass(frozen=True)
class Told:
    """How far the customer is told: letters with keys in the chat, and how many of them our database knows as sent."""

    letters: int
    recorded: int


def told(stage: Stage, engine: Engine) -> Told:
    sent = (messages.c.kind == MessageKind.KEYS_READY, messages.c.finished_at.is_not(None))
    with engine.connect() as connection:
        recorded = connection.scalar(select(func.count()).select_from(messages).where(*sent))
    return Told(len(stage.letters_with_keys()), recorded or 0)


def letters_wrong(before: Told, after: Told, wanted: int, *, crashed: bool) -> Iterator[str]:
    """A run writes each letter that it does not find recorded: once, and at its end all."""
    written, missing = after.letters - before.letters, wanted - before.recorded
    if written > missing:
        yield f"{written} letters with keys where {missing} were missing"
    if after.recorded > after.letters:
        yield f"{after.recorded} letters are recorded, {after.letters} came"
    if not crashed and written < missing:
        yield f"{written} letters with keys, {missing} were missing"


def wrong(stage: Stage, engine: Engine, plans: Sequence[str], *, one_by_one: bool) -> Iterator[str]:
    """`plans`: what was bought, in order; `one_by_one`: no letter was written while an access was still on its way."""
    yield from _money_wrong(stage, plans)
    for table in (payments, accesses, messages):
        yield from _work_left(engine, table)
    with Database(engine).read_ledger() as ledger:
        subscription = ledger.subscriptions.of_customer(ANNA.id)
        if subscription is None:
            yield "no subscription"
            return
        yield from _books_wrong(ledger, stage, subscription, plans)
    yield from _messages_wrong(engine, len(plans))
    yield from _node_wrong(stage, subscription)
    yield from _keys_wrong(stage, subscription, len(Protocol) if one_by_one else 1)


def _money_wrong(stage: Stage, plans: Sequence[str]) -> Iterator[str]:
    known = [(payment["metadata"]["plan_code"], payment["status"]) for payment in stage.payments()]
    if sorted(known) != sorted((plan, "succeeded") for plan in plans):
        yield f"the provider knows {known}"


def _work_left(engine: Engine, table: Table) -> Iterator[str]:
    waits = {payments: "check_at", accesses: "due_at"}.get(table)
    with engine.connect() as connection:
        for row in connection.execute(select(table)).mappings():
            waiting = row[waits] is not None if waits else row["finished_at"] is None
            if waiting or row["leased_until"] is not None:
                yield f"work is left in {table.name}: {_state(row)}"


def _state(row: Any) -> dict[str, str]:
    words = ("state", "protocol", "kind", "check_at", "due_at", "due", "leased_until", "finished_at")
    return {word: str(row[word]) for word in words if word in row}


def _books_wrong(ledger: Ledger, stage: Stage, subscription: Subscription, plans: Sequence[str]) -> Iterator[str]:
    paid = {payment["metadata"]["payment_id"]: payment["metadata"]["plan_code"] for payment in stage.payments()}
    if ledger.payments.open_of(ANNA.id):
        yield "a payment is not settled"
    granted = {grant.source: grant.plan.code for grant in subscription.grants}
    if granted != {f"payment:{id}": code for id, code in paid.items()} or len(granted) != len(plans):
        yield f"granted is {sorted(granted.values())}, paid {sorted(paid.values())}"
    for grant in subscription.grants:
        if grant.ends_at - grant.starts_at != timedelta(days=PLANS[grant.plan.code].days):
            yield f"{grant.plan.code} has {grant.ends_at - grant.starts_at}"
    for one, next in zip(subscription.grants, subscription.grants[1:], strict=False):
        if one.ends_at != next.starts_at:
            yield f"{next.plan.code} starts {next.starts_at - one.ends_at} after the end of {one.plan.code}"
    progress = ledger.accesses.progress(subscription.id, subscription.grants[-1].starts_at)
    if len(progress.wanted) != len(Protocol) or progress.applied != progress.wanted:
        yield f"only {len(progress.applied)} accesses are known as applied"


def _messages_wrong(engine: Engine, wanted: int) -> Iterator[str]:
    """For each payment that it was received, for each grant that its keys are ready; nothing else has happened."""
    with engine.connect() as connection:
        queued = Counter(connection.scalars(select(messages.c.kind)))
    if queued != {MessageKind.PAYMENT_RECEIVED: wanted, MessageKind.KEYS_READY: wanted}:
        yield f"messages were queued: {dict(queued)}"


def _node_wrong(stage: Stage, subscription: Subscription) -> Iterator[str]:
    """The panel and the agent hold exactly this subscription, as it is now."""
    name, now = user_name(subscription.id), subscription.grants[0]
    assert subscription.ends_at is not None
    limit = now.plan.traffic_limit or 0
    end = math.ceil(subscription.ends_at.timestamp())
    panel, agent = stage.users("marzban"), stage.users("agent")
    on_panel = {
        user: (held["proxies"]["vless"]["id"], held["expire"], held["data_limit"] or 0, held["status"])
        for user, held in panel.items()
    }
    if on_panel != {name: (RING.credential(subscription, NODE.code, Protocol.VLESS), end, limit, "active")}:
        yield f"the panel holds {on_panel}"
    on_agent = {
        user: (held["key"], held["expires_at"], held["traffic_limit"], held["revision"]) for user, held in agent.items()
    }
    key = RING.credential(subscription, NODE.code, Protocol.SHADOWSOCKS)
    if on_agent != {name: (key, end, limit, subscription.revision)}:
        yield f"the agent holds {on_agent}, not until {end} in revision {subscription.revision}"


def _keys_wrong(stage: Stage, subscription: Subscription, wanted: int) -> Iterator[str]:
    """What the customer was written opens the node: at least so many keys, and none but right ones."""
    right = {quote(RING.credential(subscription, NODE.code, protocol), safe="") for protocol in Protocol}
    for letter in stage.letters_with_keys():
        links = [word for word in letter.split() if word.startswith(("vless://", "ss://"))]
        if not wanted <= len(links) == sum(any(one in link for one in right) for link in links):
            yield f"a letter has the keys {links}"

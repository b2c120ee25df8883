"""The tables. No key, no token and no words in any of them."""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    false,
)

from node_a.adapters.database.engine import UtcDateTime

# Alembic can alter only what has a name.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _plan_as_it_was() -> list[Column[Any]]:
    """A sold plan is a copy: the one on sale may change tomorrow. `traffic_limit`: bytes, NULL for unlimited."""
    return [
        Column("plan_code", String(32), nullable=False),
        Column("plan_days", Integer, nullable=False),
        Column("plan_traffic_limit", BigInteger),
        Column("price_minor_units", BigInteger, nullable=False),
        Column("price_currency", String(3), nullable=False),
    ]


customers = Table(
    "customers",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # Telegram's
    Column("language", String(2), nullable=False),
    Column("standing", String(16), nullable=False),
    Column("reachable", Boolean, nullable=False),
    Column("erase_at", UtcDateTime),
)

payments = Table(
    "payments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    *_plan_as_it_was(),
    Column("shop_id", String(64), nullable=False),
    Column("shop_test", Boolean, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("request", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("provider_id", String(64), unique=True),
    Column("link", Text),
    Column("reason", String(64)),
    Column("settled_at", UtcDateTime),
    Column("received_minor_units", BigInteger),
    Column("received_currency", String(3)),
    Column("receipt_to", String(254)),
    # By whoever held the subscription link: their e-mail is nothing that the customer may see.
    Column("by_link", Boolean, nullable=False, server_default=false()),
    Column("checks", Integer, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("attention", String(128)),
    Column("check_at", UtcDateTime),
    Column("checked_at", UtcDateTime),
    Column("leased_until", UtcDateTime),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, unique=True),
    Column("secret_number", Integer, nullable=False),
    Column("rotation", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("suspended", Boolean, nullable=False, server_default=false()),
    Column("counted_from", UtcDateTime),
    # Bytes since then.
    Column("used", BigInteger, nullable=False, server_default="0"),
    Column("remind_at", UtcDateTime),
    Column("expire_at", UtcDateTime),
)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("payment_id", ForeignKey("payments.id"), nullable=False, index=True),
    Column("amount_minor_units", BigInteger, nullable=False),
    Column("amount_currency", String(3), nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("request", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("provider_id", String(64), unique=True),
    Column("reason", String(64)),
    Column("settled_at", UtcDateTime),
    Column("tries", Integer, nullable=False),
)

grants = Table(
    "grants",
    metadata,
    Column("id", Uuid, primary_key=True),
    # "Exactly once" is this constraint.
    Column("source", String(128), nullable=False, unique=True),
    Column("subscription_id", ForeignKey("subscriptions.id"), nullable=False, index=True),
    *_plan_as_it_was(),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("days_taken", Integer, nullable=False, server_default="0"),  # the release before knows nothing of it
    CheckConstraint("starts_at <= ends_at", name="interval"),
)

accesses = Table(
    "accesses",
    metadata,
    Column("subscription_id", ForeignKey("subscriptions.id"), primary_key=True),
    Column("node", String(16), primary_key=True),
    Column("protocol", String(16), primary_key=True),
    Column("present", Boolean, nullable=False),
    # What the node was last told: with it a key works although the newest revision is still on its way.
    Column("applied_revision", Integer, nullable=False),
    Column("applied_rotation", Integer),
    Column("applied_until", UtcDateTime),
    # The node's counter of its traffic: when it was last read, and at the start of the traffic period.
    Column("counter", BigInteger),
    Column("counter_at_start", BigInteger, nullable=False, server_default="0"),
    Column("used_at", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("urgency", Integer, nullable=False, server_default="0"),
    # Since when the node does not hold what it should, whatever was tried; NULL when it does.
    Column("behind_since", UtcDateTime),
    Column("attempts", Integer, nullable=False),
    Column("leased_until", UtcDateTime),
)

gates = Table(
    "gates",
    metadata,
    Column("node", String(16), primary_key=True),
    Column("protocol", String(16), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("closed_until", UtcDateTime, nullable=False),
)

nodes = Table(
    "nodes",
    metadata,
    Column("code", String(16), primary_key=True),
    Column("observed_at", UtcDateTime),
    Column("observation", JSON),
    Column("state", String(16)),
    Column("health", JSON),
    Column("audit", JSON),
)

# Bytes by the hour (`hours` 1), and by the day (24) where it is long ago. These rows and those of `rotations` go with
# their subscription: a release that does not know them must still be able to erase a customer.
traffic = Table(
    "traffic",
    metadata,
    Column("subscription_id", ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("hours", Integer, primary_key=True, autoincrement=False),
    Column("starts_at", UtcDateTime, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
)

# When a customer took new keys.
rotations = Table(
    "rotations",
    metadata,
    Column("subscription_id", ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("rotation", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("unique_key", String(160), nullable=False, unique=True),
    Column("customer_id", ForeignKey("customers.id"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("waiting_since", UtcDateTime),
    Column("valid_until", UtcDateTime, nullable=False),
    Column("subject", Uuid, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("dropped_because", String(64)),
)

# What the worker does at its hours, and when next.
jobs = Table(
    "jobs",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("due_at", UtcDateTime, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("failing_since", UtcDateTime),
)

# Who has had a trial, as a keyed hash: it outlives the customer's erasure and tells nobody who it was.
trials = Table(
    "trials",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("taken_at", UtcDateTime, nullable=False, index=True),
)

# What operators did. Telegram delivers an update again when it got no answer: its id makes it happen once.
operator_acts = Table(
    "operator_acts",
    metadata,
    Column("update_id", BigInteger, primary_key=True, autoincrement=False),
    Column("operator_id", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("act", String(16), nullable=False),
    Column("subject", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", Text, nullable=False),
)

# What operators were told of as stuck, for as long as it is: once is enough.
told_stuck = Table("told_stuck", metadata, Column("what", String(120), primary_key=True))

key_secrets = Table(
    "key_secrets",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("check_value", String(16), nullable=False),
)


def _index_of_the_waiting(column: Column[Any], waiting: Any, *more: Column[Any]) -> Index:
    """Only what still waits is in the index, so that "what is due" stays flat however much is done."""
    return Index(None, column, *more, sqlite_where=waiting, postgresql_where=waiting)


WAITING_INDEXES: Final = (
    _index_of_the_waiting(payments.c.check_at, payments.c.check_at.is_not(None)),
    _index_of_the_waiting(payments.c.failing_since, payments.c.failing_since.is_not(None)),
    _index_of_the_waiting(payments.c.attention, payments.c.attention.is_not(None)),
    _index_of_the_waiting(refunds.c.opened_at, refunds.c.settled_at.is_(None)),
    _index_of_the_waiting(customers.c.erase_at, customers.c.erase_at.is_not(None)),
    _index_of_the_waiting(accesses.c.behind_since, accesses.c.behind_since.is_not(None)),
    _index_of_the_waiting(subscriptions.c.remind_at, subscriptions.c.remind_at.is_not(None)),
    _index_of_the_waiting(subscriptions.c.expire_at, subscriptions.c.expire_at.is_not(None)),
    _index_of_the_waiting(accesses.c.due_at, accesses.c.due_at.is_not(None)),
    # Each keeper has its own queue, the urgent first.
    _index_of_the_waiting(
        accesses.c.node, accesses.c.due_at.is_not(None), accesses.c.protocol, accesses.c.urgency, accesses.c.due_at
    ),
    _index_of_the_waiting(traffic.c.starts_at, traffic.c.hours == 1),
    # Behind a gate that opens only one is tried: whether somebody is at it already is asked for each that is due.
    _index_of_the_waiting(accesses.c.leased_until, accesses.c.leased_until.is_not(None)),
    _index_of_the_waiting(messages.c.priority, messages.c.finished_at.is_(None), messages.c.due),
)

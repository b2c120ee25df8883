"""Whether the secrets in the settings are the ones that made the keys which customers hold."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select, text

from node_a.adapters.database.engine import inserting, reading
from node_a.adapters.database.tables import key_secrets, subscriptions
from node_a.domain.keys import KeyRing


def wrong_secrets(engine: Engine, ring: KeyRing) -> list[str]:
    """One line for each secret that keys in use are made from and that is missing or is not the same any more.

    Starting with a wrong secret would silently give everybody new keys. Writes nothing.
    """
    seen = _look(engine, ring)
    problems = []
    for number in sorted(seen.used):
        if number not in seen.given:
            problems.append(f"KEY_SECRETS__{number} is missing: keys in use are made from it; put it back")
        elif seen.given[number] != seen.known.get(number, seen.given[number]):
            problems.append(f"KEY_SECRETS__{number} is not the secret that made the keys in use; put the old one back")
    return problems


def remember_secrets(engine: Engine, ring: KeyRing) -> None:
    """Remember how each secret can be told from another, for `wrong_secrets`. One that made no keys may change or go.

    Writes, and waits for its turn to, only if something is new.
    """
    if not _look(engine, ring).has_news:
        return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":  # SQLite's writer is alone anyhow
            connection.execute(text("LOCK TABLE subscriptions IN SHARE MODE"))
        seen = _seen(connection, ring)  # the first keys may have been made meanwhile
        for number in seen.forgettable:
            connection.execute(delete(key_secrets).where(key_secrets.c.number == number))
        for number, value in seen.new.items():
            row = inserting(connection, key_secrets).values(number=number, check_value=value)
            connection.execute(row.on_conflict_do_update(index_elements=["number"], set_={"check_value": value}))


def is_remembered(engine: Engine, ring: KeyRing, number: int) -> bool:
    """Whether a process has been started with this secret as it is. Writes nothing."""
    return _look(engine, ring).known.get(number) == ring.check_value(number)


def idle_secrets(engine: Engine, ring: KeyRing) -> list[int]:
    """Older secrets in the settings that no keys are made from any more: they may go. Writes nothing."""
    used = _look(engine, ring).used
    return sorted(number for number in ring.secrets if number < ring.newest and number not in used)


@dataclass(frozen=True, slots=True)
class _Seen:
    """`given`, `known`: number and check value in the settings and in the database; `used`: by any subscription."""

    given: dict[int, str]
    known: dict[int, str]
    used: set[int]

    @property
    def new(self) -> dict[int, str]:
        kept = self.used & self.known.keys()
        return {n: value for n, value in self.given.items() if n not in kept and self.known.get(n) != value}

    @property
    def forgettable(self) -> set[int]:
        return self.known.keys() - self.given.keys() - self.used

    @property
    def has_news(self) -> bool:
        return bool(self.new or self.forgettable)


def _look(engine: Engine, ring: KeyRing) -> _Seen:
    with reading(engine).begin() as connection:
        return _seen(connection, ring)


def _seen(connection: Connection, ring: KeyRing) -> _Seen:
    return _Seen(
        given={number: ring.check_value(number) for number in ring.secrets},
        known={row.number: row.check_value for row in connection.execute(select(key_secrets))},
        used=set(connection.scalars(select(subscriptions.c.secret_number).distinct())),
    )

"""Whether the secrets in the settings are the ones that made the keys which customers hold."""

from sqlalchemy import Engine, select

from node_a.adapters.database.engine import inserting
from node_a.adapters.database.tables import key_secrets
from node_a.domain.keys import KeyRing


def wrong_secrets(engine: Engine, ring: KeyRing) -> list[str]:
    """One line for each secret that is missing or differs from the one first used; new ones are remembered.

    Starting with a wrong secret would silently give everybody new keys.
    """
    with engine.begin() as connection:
        known = {row.number: row.check_value for row in connection.execute(select(key_secrets))}
        for number in ring.secrets.keys() - known.keys():
            value = ring.check_value(number)
            connection.execute(inserting(connection, key_secrets).values(number=number, check_value=value))
    problems = []
    for number, check_value in sorted(known.items()):
        if number not in ring.secrets:
            problems.append(f"KEY_SECRETS__{number} is missing: keys in use are made from it; put it back")
        elif ring.check_value(number) != check_value:
            problems.append(f"KEY_SECRETS__{number} is not the secret that made the keys in use; put the old one back")
    return problems

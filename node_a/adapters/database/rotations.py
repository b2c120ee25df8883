"""When customers took new keys."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from node_a.adapters.database.tables import rotations
from node_a.domain.subscription import SubscriptionId


class SqlRotations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def since(self, id: SubscriptionId, moment: datetime) -> int:
        recent = select(func.count()).where(rotations.c.subscription_id == id, rotations.c.at > moment)
        return self._connection.scalar(recent) or 0

    def record(self, id: SubscriptionId, rotation: int, now: datetime) -> None:
        self._connection.execute(rotations.insert().values(subscription_id=id, rotation=rotation, at=now))

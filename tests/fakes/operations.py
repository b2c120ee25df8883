"""What operators can do in a shop under test."""

from dataclasses import dataclass
from datetime import datetime
from itertools import count

from node_a.application.acts import Instruction, PerformAct
from node_a.application.banning import BanCustomer, UnbanCustomer
from node_a.application.lookup import FindCustomer
from node_a.application.operations import GrantByHand, RefundByHand
from node_a.application.ports import OperatorAct
from node_a.application.retrying import HandleMoney, RetryStuck
from node_a.application.stuck import ListStuck, WatchStuck
from tests.builders import OLGA
from tests.fakes.shop import ShopUnderTest


@dataclass
class Operations:
    """The use cases, over the shop's own database and clock."""

    shop: ShopUnderTest

    def __post_init__(self) -> None:
        shop, self._updates = self.shop, count(500)
        reads = shop.database.read_ledger
        self.perform = PerformAct(write=shop.database.write, clock=self.clock)
        self.grant = GrantByHand(perform=self.perform, grant_days=shop.record_outcome.grant_days)
        self.refund = RefundByHand(read_ledger=reads, perform=self.perform, open_refund=shop.open_refund)
        self.ban = BanCustomer(perform=self.perform, operators=frozenset({OLGA}))
        self.unban = UnbanCustomer(perform=self.perform, nodes=shop.domain_nodes)
        self.retry = RetryStuck(perform=self.perform)
        self.handle_money = HandleMoney(perform=self.perform)
        self.find = FindCustomer(read_ledger=reads, clock=self.clock)
        self.stuck = ListStuck(read_ledger=reads, clock=self.clock)
        self.watch = WatchStuck(
            write=shop.database.write,
            tell=shop.record_outcome.tell_operators,
            clock=self.clock,
            new_ids=shop.record_outcome.new_ids,
        )

    def clock(self) -> datetime:
        return self.shop.now

    def says(self, reason: str = "asked kindly") -> Instruction:
        """The next update of the operator."""
        return Instruction(next(self._updates), OLGA, reason)

    def recorded(self, instruction: Instruction) -> OperatorAct | None:
        with self.shop.ledger() as ledger:
            return ledger.operator_acts.find(instruction.update_id)  # type: ignore[no-any-return]

"""It does not work: the customer's own case is looked at, and what was found is answered with its buttons."""

from collections.abc import Callable
from dataclasses import dataclass

from node_a.application.diagnosis import Diagnosis
from node_a.application.ports import Letter, RunInThread
from node_a.application.repair import Repaired
from node_a.bot.updates import Press
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.wording.troubles import LOOK, REPAIR
from node_a.wording.wording import Wording


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseOfACustomer:
    """`diagnose` and `repair`: the use cases Diagnose and RepairKeys."""

    diagnose: Callable[[CustomerId, Language], Diagnosis]
    repair: Callable[[CustomerId], Repaired]
    wording: Wording
    in_thread: RunInThread

    async def looked_at(self, customer: Customer, repaired: Repaired | None = None) -> Letter:
        found = await self.in_thread(lambda: self.diagnose(customer.id, customer.language))
        return self.wording.diagnosis(found, customer.language, repaired)

    async def pressed(self, customer: Customer, press: Press) -> tuple[str, Letter] | None:
        """What is shown for a moment (nothing), and the letter that takes the place of the one with the button."""
        if press.action == LOOK:
            return "", await self.looked_at(customer)
        if press.action != REPAIR:
            return None
        repaired = await self.in_thread(lambda: self.repair(customer.id))
        return "", await self.looked_at(customer, repaired)

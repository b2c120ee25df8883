"""A customer's case: what the diagnosis needs to know, gathered in one look."""

from dataclasses import dataclass
from datetime import datetime

from node_a.application.diagnosis import CaseFacts, Diagnosis, KeyFacts, diagnose
from node_a.application.overview import ViewSubscription
from node_a.application.ports import Clock, Ledger, OpenLedger
from node_a.application.rotation import rotations_left
from node_a.application.statistics import troubles
from node_a.domain.access import AccessId
from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.node import NodeState, Protocol
from node_a.domain.subscription import Subscription


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnose:
    """Writes nothing. `per_day`: how often a customer may take new keys."""

    read_ledger: OpenLedger
    view: ViewSubscription
    per_day: int
    clock: Clock

    def __call__(self, customer_id: CustomerId, language: Language) -> Diagnosis:
        now = self.clock()
        with self.read_ledger() as ledger:
            customer = ledger.customers.find(customer_id)
            standing = customer.standing if customer else Standing.DELETED
            subscription = ledger.subscriptions.of_customer(customer_id)
            if subscription is None or not subscription.grants:
                facts, link = CaseFacts(customer_id, standing), None
            else:
                facts, link = self._facts(ledger, subscription, standing, now, language)
        return Diagnosis(facts, diagnose(facts, now), self.view.nodes, link if facts.keys else None)

    def _facts(
        self, ledger: Ledger, subscription: Subscription, standing: Standing, now: datetime, language: Language
    ) -> tuple[CaseFacts, str]:
        view = self.view(ledger, subscription, language)
        facts = CaseFacts(
            customer_id=subscription.customer_id,
            standing=standing,
            subscription_id=subscription.id,
            state=view.state,
            ends_at=view.ends_at,
            traffic=view.traffic,
            keys=self._keys(ledger, subscription, now) if subscription.is_active(now) else (),
            nodes=troubles(self.view.nodes, ledger.nodes.all(), now),
            may_rotate=rotations_left(ledger, subscription.id, self.per_day, now) > 0,
        )
        return facts, view.link

    def _keys(self, ledger: Ledger, subscription: Subscription, now: datetime) -> list[KeyFacts]:
        progress = ledger.accesses.progress(subscription.id, now)
        offered = [node.code for node in self.view.nodes if node.state is not NodeState.RETIRED]
        ids = [AccessId(subscription.id, code, protocol) for code in offered for protocol in Protocol]
        records = ledger.accesses.find_all([id for id in ids if id in progress.wanted])
        return [KeyFacts(id.keeper, id in progress.working, records[id].used_at) for id in ids if id in records]

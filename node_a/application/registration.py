"""Registration: whoever writes to us or opens the Mini App is a customer from then on."""

from dataclasses import dataclass

from node_a.application.ports import Ledger, OpenLedger, Transact
from node_a.domain.customer import Customer, CustomerId, Language, Standing
from node_a.domain.errors import UnknownCustomer


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterCustomer:
    """Safe to repeat and to reorder; `language_code` is what Telegram says of the user's app. Who is banned or being
    erased stays so."""

    read_ledger: OpenLedger
    write: Transact
    default_language: Language

    def __call__(self, id: CustomerId, language_code: str | None) -> Customer:
        language = Language.best_for(language_code, self.default_language)
        with self.read_ledger() as ledger:
            known = ledger.customers.find(id)
        if known is not None and known == known.seen(language):
            return known  # nothing to write: the common case must not wait for other writers
        return self.write(lambda ledger: _seen(ledger, id, language))


def locked_if_known(ledger: Ledger, id: CustomerId) -> Customer | None:
    """None for whoever never wrote to us, or was erased."""
    try:
        return ledger.customers.locked(id)
    except UnknownCustomer:
        return None


def is_in_good_standing(ledger: Ledger, id: CustomerId) -> bool:
    """False also for whoever was erased. Time alone and upkeep must not bring back what was withdrawn from others."""
    customer = ledger.customers.find(id)
    return customer is not None and customer.standing is Standing.GOOD


def _seen(ledger: Ledger, id: CustomerId, language: Language) -> Customer:
    known = locked_if_known(ledger, id)
    if known is None:  # or erased a moment ago: then this is a new beginning
        ledger.customers.add(Customer(id, language))  # unless another first message was faster
        known = ledger.customers.locked(id)
    customer = known.seen(language)
    ledger.customers.save(customer)
    return customer

"""Registration: whoever writes to us or opens the Mini App is a customer from then on."""

from dataclasses import dataclass

from node_a.application.ports import OpenLedger
from node_a.domain.customer import Customer, CustomerId, Language


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisterCustomer:
    """Safe to repeat and to reorder; `language_code` is what Telegram says of the user's app."""

    read_ledger: OpenLedger
    open_ledger: OpenLedger
    default_language: Language

    def __call__(self, id: CustomerId, language_code: str | None) -> Customer:
        language = Language.best_for(language_code, self.default_language)
        with self.read_ledger() as ledger:
            known = ledger.customers.find(id)
        if known is not None and known == known.seen(language):
            return known  # nothing to write: the common case must not wait for other writers
        with self.open_ledger() as ledger:
            known = ledger.customers.locked(id) if known is not None else ledger.customers.find(id)
            customer = (known or Customer(id, language)).seen(language)
            ledger.customers.save(customer)
        return customer

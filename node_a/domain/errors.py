"""What can go wrong, by who must act.

    ShopError
    ├── Refused                 the request cannot be granted; do not retry
    │   ├── UnknownPlan
    │   ├── UnknownPayment
    │   ├── UnknownSubscription
    │   ├── UnknownCustomer
    │   ├── CustomerBanned
    │   ├── TrialRefused        off, taken before, or too many today
    │   ├── RotationRefused     new keys are not given: off, or no days are left
    │   │   └── TooManyRotations as many as may be were given in these 24 hours
    │   ├── ReceiptAddressNeeded the tax receipt has nobody to go to
    │   ├── RefundRefused       more than is left of the payment, or nothing was paid
    │   ├── PaymentRefused      the provider will never take this request: our settings or our bug
    │   ├── NodeRefused         the node will never take this request: our settings or our bug
    │   │   └── NodeIsAhead     it holds a later revision than ours: our database is the older one
    │   └── MessageRefused      the messenger will never take this message: our bug
    ├── Unavailable             the same request may work later; retry
    │   ├── ProviderUnavailable
    │   ├── NodeUnavailable
    │   ├── MessengerUnavailable
    │   └── LedgerUnavailable   our own database: locked for too long, disk full
    └── Unreachable             this customer has blocked the bot; do not retry, undo nothing

No HTTP codes and no customer's words here. A payment whose money does not match is no error but a state
(`PaymentState.DISPUTED`): it must be kept, and a person must look.
"""


class ShopError(Exception):
    """The root: every error that the shop means to raise."""


class Refused(ShopError):
    """The request cannot be granted; repeating it changes nothing."""


class UnknownPlan(Refused):
    """No plan on sale has this code."""


class UnknownPayment(Refused):
    """No payment has this id, or it is not this customer's."""


class UnknownSubscription(Refused):
    """No subscription belongs to this id or link token."""


class UnknownCustomer(Refused):
    """Nobody with this id ever wrote to us, or they were erased."""


class CustomerBanned(Refused):
    """This customer may not buy."""


class TrialRefused(Refused):
    """There is no trial for this customer now."""


class RotationRefused(Refused):
    """There are no new keys for this customer now."""


class TooManyRotations(RotationRefused):
    """This customer took new keys as often as may be; some hours later there are more."""


class ReceiptAddressNeeded(Refused):
    """A tax receipt is due, and the buyer's e-mail is missing or is no address."""


class RefundRefused(Refused):
    """This much cannot be paid back from this payment."""


class PaymentRefused(Refused):
    """The provider understood and said no: credentials, shop or request are wrong."""


class NodeRefused(Refused):
    """The node understood this request and will never take it."""


class NodeIsAhead(NodeRefused):
    """The node holds a later `revision` than the one it was sent: our database was restored from a backup."""

    def __init__(self, message: str, *, revision: int) -> None:
        super().__init__(message)
        self.revision = revision


class MessageRefused(Refused):
    """The messenger understood and said no to this message."""


class Unavailable(ShopError):
    """The same request may work later. `retry_after`: seconds, where the other side named them."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderUnavailable(Unavailable):
    """The payment provider did not answer, or not usefully: the outcome is unknown."""


class NodeUnavailable(Unavailable):
    """A node's panel or agent did not answer, or not usefully: the outcome is unknown. `answered`: it is there and
    failed on this one request, so that other requests need not wait."""

    def __init__(self, message: str, *, answered: bool = False) -> None:
        super().__init__(message)
        self.answered = answered


class MessengerUnavailable(Unavailable):
    """Telegram did not answer, or asks us to wait."""


class LedgerUnavailable(Unavailable):
    """Our own database cannot take the transaction now; nothing of it was stored."""


class Unreachable(ShopError):
    """This customer has blocked the bot or is gone."""

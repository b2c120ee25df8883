"""What the web edge needs: values that an operator chose, and the use cases it calls."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from node_a.application.diagnosis import Diagnosis
from node_a.application.overview import PaymentView, SubscriptionView
from node_a.application.ports import Clock
from node_a.application.repair import Repaired
from node_a.application.rotation import RotationOffer
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.plan import Plan
from node_a.domain.subscription import SubscriptionId

# The use cases, by what they take and give: RegisterCustomer, OpenPayment, ShowSubscription, ShowOpenPayment,
# ShowPayment, OpenSubscriptionLink, RenewByLink, ShowRenewal, NudgePayment, LastReceiptAddress, TrialAvailable,
# TakeTrial, ShowTraffic, OfferRotation, RotateKeys, Diagnose, RepairKeys.
Register = Callable[[CustomerId, str | None], Customer]
OpenPayment = Callable[[CustomerId, str, str | None], Payment]
ShowSubscription = Callable[[CustomerId, Language], SubscriptionView | None]
ShowOpenPayment = Callable[[CustomerId], Payment | None]
ShowPayment = Callable[[PaymentId, CustomerId | None, Language], PaymentView]
OpenLink = Callable[[str], SubscriptionView]
RenewByLink = Callable[[str, str, str | None], Payment]
ShowRenewal = Callable[[str, PaymentId], PaymentView]
Nudge = Callable[[PaymentId | None, str | None, bool], bool]  # the last: about a refund
LastReceiptAddress = Callable[[CustomerId], str | None]
TrialAvailable = Callable[[CustomerId], Plan | None]
TakeTrial = Callable[[CustomerId], None]
ShowTraffic = Callable[[SubscriptionId], Sequence[tuple[date, int]]]
OfferRotation = Callable[[CustomerId], RotationOffer | None]
RotateKeys = Callable[[CustomerId, int], None]
Diagnose = Callable[[CustomerId, Language], Diagnosis]
RepairKeys = Callable[[CustomerId], Repaired]


@dataclass(frozen=True, kw_only=True)
class Web:
    """`public_url`: how customers reach us, without "/" at the end; `bot_username`: without "@";
    `telegram_link_url`: what leads into Telegram, https://t.me; `telegram_script_url`: where Telegram's own script
    comes from, unless `telegram_script_file` is a copy that we serve;
    `frame_ancestors`: origins that may show the Mini App in a frame; `trusted_proxies`: how many stand before us;
    `support_contact`: a t.me name or address, shown as it is, perhaps empty; `is_ready`: None, or what is missing;
    `new_keys_offered`: whether customers may take new keys at all;
    `receipts`: whether buyers are asked for an e-mail, for the tax receipt;
    `payments_at_once`: how many may be opened side by side, fewer than there are threads: the provider may hang."""

    public_url: str
    bot_username: str
    bot_token: str = field(repr=False)
    telegram_link_url: str
    telegram_script_url: str
    telegram_script_file: Path | None
    frame_ancestors: Sequence[str]
    init_data_max_age: timedelta
    trusted_proxies: int
    is_provider_address: Callable[[str], bool]
    shop_name: str
    support_contact: str
    default_language: Language
    plans: Mapping[str, Plan]
    clock: Clock
    is_ready: Callable[[], str | None]
    register: Register
    open_payment: OpenPayment
    show_subscription: ShowSubscription
    show_traffic: ShowTraffic
    show_open_payment: ShowOpenPayment
    show_payment: ShowPayment
    open_link: OpenLink
    renew_by_link: RenewByLink
    show_renewal: ShowRenewal
    nudge: Nudge
    receipts: bool
    last_receipt_address: LastReceiptAddress
    trial_available: TrialAvailable
    take_trial: TakeTrial
    new_keys_offered: bool
    offer_rotation: OfferRotation
    rotate_keys: RotateKeys
    diagnose: Diagnose
    repair_keys: RepairKeys
    payments_at_once: int = 4

    @property
    def bot_url(self) -> str:
        """The way to the chat with the bot, from any browser."""
        return f"{self.telegram_link_url}/{self.bot_username}"

    @property
    def support_url(self) -> str | None:
        """A link for the contact, where it is one that a browser can open."""
        if self.support_contact.startswith("@"):
            return f"{self.telegram_link_url}/{self.support_contact[1:]}"
        return self.support_contact if self.support_contact.startswith(("https://", "http://")) else None

    @property
    def telegram_script(self) -> str:
        """What the Mini App's page loads as Telegram's script."""
        return "/telegram-web-app.js" if self.telegram_script_file else self.telegram_script_url

    @property
    def telegram_script_origin(self) -> str | None:
        """The foreign origin that scripts may come from; None when we serve the script ourselves."""
        if self.telegram_script_file:
            return None
        parts = urlsplit(self.telegram_script_url)
        return f"{parts.scheme}://{parts.netloc}"

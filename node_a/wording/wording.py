"""Every letter and line of the shop in one place, for bot, worker and pay page."""

from collections.abc import Sequence
from dataclasses import dataclass

from node_a.application.notices import Ended, EndsSoon, KeysReady, Notice, PaymentDeclined, PaymentReceived
from node_a.application.overview import SubscriptionView
from node_a.application.ports import Letter
from node_a.application.statistics import ServerView
from node_a.domain.customer import Language
from node_a.domain.payment import Payment
from node_a.wording import answers, payments, servers, subscriptions


@dataclass(frozen=True, slots=True)
class Wording:
    """`support_contact`: where people answer, as a customer can use it ("@qent_support", an e-mail address).

    `compose` is the port ComposeLetter, `describe` is DescribePlan.
    """

    shop_name: str
    support_contact: str

    def compose(self, notice: Notice, language: Language) -> Letter:
        match notice:
            case PaymentReceived(payment):
                return payments.received(payment, language)
            case PaymentDeclined(payment):
                return payments.declined(payment, language)
            case KeysReady(view):
                return subscriptions.keys_ready(view, language)
            case EndsSoon(ends_at, days_left):
                return subscriptions.ends_soon(ends_at, days_left, language)
            case Ended(ends_at):
                return subscriptions.ended(ends_at, language)

    def describe(self, payment: Payment, language: Language) -> str:
        return payments.describe(self.shop_name, payment, language)

    def subscription(
        self, view: SubscriptionView | None, language: Language, picture: bytes | None = None
    ) -> list[Letter]:
        """In the order of sending. `picture`: the subscription link as a PNG (`qr_picture`)."""
        return subscriptions.subscription(view, language, picture)

    def servers(self, views: Sequence[ServerView], for_operator: bool, language: Language) -> Letter:
        return servers.servers(views, for_operator, language)

    def commands(self, language: Language) -> list[tuple[str, str]]:
        """Every command and what the menu says of it, in the menu's order."""
        return answers.commands(language)

    @property
    def menu_button(self) -> str:
        """One label for all languages: Telegram has one menu button for everybody."""
        return self.shop_name

    def welcome(self, language: Language) -> Letter:
        return self._answers.welcome(language)

    def help(self, language: Language) -> Letter:
        return self._answers.help(language)

    def payment_support(self, language: Language) -> Letter:
        """/paysupport, which Telegram's terms for payments ask of every bot that sells."""
        return self._answers.payment_support(language)

    def unknown_command(self, language: Language) -> Letter:
        return self._answers.unknown_command(language)

    def slow_down(self, language: Language) -> Letter:
        return self._answers.slow_down(language)

    def out_of_order(self, language: Language) -> Letter:
        return self._answers.out_of_order(language)

    def banned(self, language: Language) -> Letter:
        return self._answers.banned(language)

    @property
    def _answers(self) -> answers.Answers:
        return answers.Answers(self.shop_name, self.support_contact)

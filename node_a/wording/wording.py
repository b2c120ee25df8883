"""Every letter and line of the shop in one place, for bot, worker and pay page."""

from collections.abc import Sequence
from dataclasses import dataclass

from node_a.application.acts import Answered
from node_a.application.diagnosis import Diagnosis
from node_a.application.limits import TrafficRunsLow, TrafficUsedUp
from node_a.application.lookup import CustomerFile
from node_a.application.notices import (
    Ended,
    EndsSoon,
    KeysReady,
    MoneyNeedsYou,
    NewKeys,
    Notice,
    PaymentDeclined,
    PaymentReceived,
    Refunded,
    SomethingStuck,
)
from node_a.application.outages import NodeOutage
from node_a.application.overview import SubscriptionView
from node_a.application.ports import Button, Letter
from node_a.application.repair import Repaired
from node_a.application.statistics import ServerView
from node_a.application.stuck import StuckThings
from node_a.domain.customer import Language
from node_a.domain.payment import Payment
from node_a.domain.plan import Plan
from node_a.wording import (
    answers,
    customer_files,
    farewell,
    operators,
    outages,
    payments,
    rotations,
    servers,
    stuck,
    subscriptions,
    traffic,
    trials,
    troubles,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """`support_contact`: where people answer, as a customer can use it ("@qent_support", an e-mail address).

    `telegram_link_url`: what leads into Telegram. `compose` is the port ComposeLetter, `describe` is DescribePlan.
    """

    shop_name: str
    support_contact: str
    telegram_link_url: str = "https://t.me"

    def compose(self, notice: Notice, language: Language) -> Letter:
        match notice:
            case PaymentReceived(payment):
                return payments.received(payment, language)
            case PaymentDeclined(payment):
                return payments.declined(payment, language)
            case KeysReady() | NewKeys():
                return self._about_keys(notice, language)
            case EndsSoon() | Ended() | TrafficUsedUp() | TrafficRunsLow():
                return self._about_the_end(notice, language)
            case Refunded():
                return payments.refunded(notice, language)
            case MoneyNeedsYou() | SomethingStuck() | NodeOutage():
                return self._to_operator(notice, language)

    def _about_keys(self, notice: KeysReady | NewKeys, language: Language) -> Letter:
        match notice:
            case KeysReady(view):
                return subscriptions.keys_ready(view, language)
            case NewKeys(view):
                return rotations.new_keys_work(view, language)

    def _about_the_end(self, notice: EndsSoon | Ended | TrafficUsedUp | TrafficRunsLow, language: Language) -> Letter:
        """Of the days, or of the traffic."""
        match notice:
            case TrafficUsedUp():
                return traffic.used_up(notice, language)
            case TrafficRunsLow():
                return traffic.runs_low(notice, language)
            case EndsSoon(ends_at, days_left):
                return subscriptions.ends_soon(ends_at, days_left, language)
            case Ended(ends_at, keys_until):
                return subscriptions.ended(ends_at, keys_until, language)

    def _to_operator(self, notice: MoneyNeedsYou | SomethingStuck | NodeOutage, language: Language) -> Letter:
        match notice:
            case MoneyNeedsYou(payment):
                return operators.money_needs_you(payment, language)
            case SomethingStuck(things):
                return stuck.stuck(things, language)
            case NodeOutage():
                return outages.outage(notice, language)

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

    def welcome(self, language: Language, trial: Plan | None = None) -> Letter:
        """`trial`: what this customer may have for nothing."""
        return self._answers.welcome(language, trial)

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

    # ── leaving, and trying ──

    def ask_before_deleting(self, language: Language) -> Letter:
        return farewell.question(language)

    def last_word(self, language: Language) -> Letter:
        return farewell.last_word(language)

    def nothing_deleted(self, language: Language) -> Letter:
        return farewell.kept(language)

    def question_too_old(self, language: Language) -> Letter:
        return farewell.too_old(language)

    def being_erased(self, language: Language) -> Letter:
        return farewell.being_erased(language)

    def trial_begun(self, plan: Plan, language: Language) -> Letter:
        return trials.begun(plan, language)

    def trial_is_for_the_new(self, language: Language) -> Letter:
        return trials.had_days(language)

    def no_trial_now(self, language: Language) -> Letter:
        return trials.none_now(language)

    # ── new keys, and when it does not work ──

    def offer_of_new_keys(self, language: Language) -> Button:
        return rotations.offer(language)

    def ask_before_new_keys(self, rotation: int, language: Language) -> Letter:
        """`rotation`: the keys that would be replaced."""
        return rotations.question(rotation, language)

    def new_keys_begun(self, view: SubscriptionView, language: Language) -> Letter:
        return rotations.begun(view, language)

    def keys_kept(self, language: Language) -> Letter:
        return rotations.kept(language)

    def question_about_keys_too_old(self, language: Language) -> Letter:
        return rotations.too_old(language)

    def too_many_new_keys(self, language: Language) -> Letter:
        return rotations.too_many(language)

    def no_new_keys(self, language: Language) -> Letter:
        return rotations.none_to_give(language)

    def diagnosis(self, diagnosis: Diagnosis, language: Language, repaired: Repaired | None = None) -> Letter:
        """`repaired`: what became of a repair that was asked for just now."""
        return troubles.letter(diagnosis, repaired, self.support_contact, self.telegram_link_url, language)

    # ── for operators ──

    def operators_commands(self, language: Language) -> list[tuple[str, str]]:
        """What an operator's menu has besides `commands`."""
        return operators.commands(language)

    def usage(self, command: str, language: Language) -> Letter:
        """How one of the operators' commands is written; without its slash."""
        return operators.usage(command, language)

    def done(self, answered: Answered, language: Language) -> Letter:
        return operators.done(answered, language)

    def done_in_a_line(self, answered: Answered, language: Language) -> str:
        """The same as text, for the answer to a pressed button."""
        return operators.in_words(answered, language)

    def stuck(self, things: StuckThings, language: Language) -> Letter:
        return stuck.stuck(things, language)

    def customer_file(self, file: CustomerFile | None, language: Language) -> Letter:
        """None: nobody was found."""
        return customer_files.customer_file(file, language) if file else operators.nobody_found(language)

    @property
    def _answers(self) -> answers.Answers:
        return answers.Answers(self.shop_name, self.support_contact)

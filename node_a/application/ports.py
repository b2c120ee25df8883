"""What the use cases ask of the world, in the domain's words."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, Protocol, TypeVar
from uuid import UUID

from node_a.domain.access import AccessId, HeldAccess, HeldPage, WantedAccess
from node_a.domain.customer import Customer, CustomerId, Language
from node_a.domain.grant import GrantId
from node_a.domain.message import Message, MessageId
from node_a.domain.node import Keeper, NodeCode, NodeObservation, NodeState
from node_a.domain.node import Protocol as KeyProtocol
from node_a.domain.payment import OPEN_STATES, Outcome, Payment, PaymentId, PaymentState
from node_a.domain.plan import Plan
from node_a.domain.refund import Refund, RefundId, RefundOutcome
from node_a.domain.subscription import Subscription, SubscriptionId

T = TypeVar("T")

# Aware, UTC.
Clock = Callable[[], datetime]
# A new random id: never a row number (the design says why).
NewId = Callable[[], UUID]
# Evenly from 0 to 1.
Chance = Callable[[], float]


# ── Money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ListedPayment:
    """An entry of the provider's own list. `id`, `customer_id` and `plan` (with the price that was asked for) as we
    wrote them into the payment when we opened it; None for one that is not ours."""

    outcome: Outcome
    created_at: datetime
    id: PaymentId | None = None
    customer_id: CustomerId | None = None
    plan: Plan | None = None


class PaymentProvider(Protocol):
    """Takes the customers' money. Synchronous: called outside of any transaction.

    Every call raises ProviderUnavailable when the outcome is unknown and PaymentRefused when the provider will
    never take the request.
    """

    def request_for(self, payment: Payment, description: str) -> str:
        """The exact body with which `payment` is created; stored before the first call. No network."""
        ...

    def create(self, payment: Payment) -> Outcome:
        """Create with the stored `payment.request`; a repeat gives the same payment. The outcome has a link."""
        ...

    def find(self, payment: Payment) -> Outcome:
        """What the provider says now of a payment whose `provider_id` is known."""
        ...

    def refund_request_for(self, payment: Payment, refund: Refund, description: str) -> str:
        """The exact body with which `refund` is created, a receipt included if receipts are on; stored before the first
        call. No network. Raises ReceiptAddressNeeded if nobody knows where the receipt must go."""
        ...

    def create_refund(self, refund: Refund) -> RefundOutcome:
        """Create with the stored `refund.request`; a repeat gives the same refund."""
        ...

    def refunds_of(self, payment: Payment) -> Sequence[RefundOutcome]:
        """Every refund of a payment whose `provider_id` is known, whoever made it."""
        ...

    def payments_since(self, moment: datetime) -> Iterator[ListedPayment]:
        """Every payment created since, page by page; the errors come while iterating."""
        ...

    def refunds_since(self, moment: datetime) -> Iterator[RefundOutcome]:
        """Every refund created since, page by page; the errors come while iterating."""
        ...


# ── Nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class NodeGateway(Protocol):
    """One node: its panel for VLESS, its agent for Shadowsocks."""

    async def apply(self, wanted: WantedAccess) -> None:
        """Make the node hold exactly this, whatever it holds now; safe to repeat.

        Raises NodeUnavailable (outcome unknown or node down), NodeRefused, and NodeIsAhead when it holds a later
        revision.
        """
        ...

    async def held(self, protocol: KeyProtocol, after: str | None) -> HeldPage:
        """What the node holds of one protocol, ours or not, a hundred at a time; `after`: the `next` of the page
        before, None for the first. Raises NodeUnavailable."""
        ...

    async def remove_user(self, protocol: KeyProtocol, held: HeldAccess) -> None:
        """Remove a user of ours that no subscription of ours has; an absent one is no error. Raises NodeUnavailable and
        NodeRefused."""
        ...

    async def observe(self) -> NodeObservation:
        """How the node is now. Never raises for a dead node: that is an observation too."""
        ...


Nodes = Mapping[NodeCode, NodeGateway]


# ── Messages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AppButton:
    """Opens the Mini App."""

    label: str


@dataclass(frozen=True, slots=True)
class LinkButton:
    """Opens an http(s) address in the browser."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CopyButton:
    """Copies up to 256 characters."""

    label: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ActionButton:
    """Tells the bot: `action` comes back as it is, up to 64 bytes."""

    label: str
    action: str


Button = AppButton | LinkButton | CopyButton | ActionButton


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to be sent. `html`: Telegram's subset; `buttons`: one a row; `picture`: PNG, above the text."""

    html: str = field(repr=False)
    buttons: Sequence[Button] = ()
    picture: bytes | None = field(default=None, repr=False)


class Messenger(Protocol):
    """Writes to customers. No preview of links, ever."""

    async def send(self, customer_id: CustomerId, letter: Letter) -> None:
        """Raises MessengerUnavailable (perhaps with `retry_after`), Unreachable, MessageRefused."""
        ...


# ── The ledger: one transaction ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PaymentClaim:
    """A payment leased for one check. `check_at`: its value at the claim; a nudge meanwhile changes it."""

    payment: Payment
    check_at: datetime
    leased_until: datetime


class Urgency(IntEnum):
    """Which access goes first: lower numbers."""

    CUSTOMER = 0  # somebody waits: a purchase, a renewal, new keys, a ban
    UPKEEP = 1  # nobody waits: a new node is filled, a difference is put right


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one keeper, of one urgency."""

    keeper: Keeper
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class SweptPage:
    """`last`: of the subscriptions that were looked at, None when there are no more; `count`: how many accesses are due
    because of it."""

    last: SubscriptionId | None
    count: int


@dataclass(frozen=True, slots=True)
class AccessClaim:
    """An access leased for one attempt. `due_at`: its value at the claim; `attempts`: failed ones so far."""

    id: AccessId
    due_at: datetime
    attempts: int
    leased_until: datetime
    urgency: Urgency = Urgency.CUSTOMER


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """An access as the ledger has it. `settled`: the node was told everything, nothing is due; `applied_revision`: the
    last that was sent, 0 for none; `counter`: bytes when its traffic was last read, None before that;
    `counter_at_start`: of the traffic period; `used_at`: when it was last seen to have had traffic."""

    id: AccessId
    present: bool
    settled: bool
    applied_revision: int
    counter: int | None
    counter_at_start: int
    used_at: datetime | None

    def backstop(self, limit: int | None) -> int | None:
        """The node's own limit for this access, in bytes since the node made it, so that nobody gets far beyond the
        plan's limit while we cannot count; None for unlimited."""
        return None if limit is None else self.counter_at_start + limit


@dataclass(frozen=True, slots=True)
class MessageClaim:
    """A message leased for one attempt."""

    message: Message
    attempts: int
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class AccessProgress:
    """How far a subscription's wanted accesses are. `applied`: those that hold its latest revision; `working`: those
    whose key opens the node now, if perhaps with an end or limit of before the last renewal."""

    wanted: frozenset[AccessId]
    applied: frozenset[AccessId]
    working: frozenset[AccessId]


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """What we remember of a node. `gates`: for each protocol whose keeper failed, until when it is left alone; `state`:
    the one that was last put into effect; `health` and `audit`: what those who look at it remember, as JSON."""

    code: NodeCode
    observation: NodeObservation | None
    gates: Mapping[KeyProtocol, datetime]
    state: NodeState | None = None
    health: Mapping[str, Any] | None = None
    audit: Mapping[str, Any] | None = None


class Customers(Protocol):
    def find(self, id: CustomerId) -> Customer | None: ...

    def locked(self, id: CustomerId) -> Customer:
        """The customer, locked until the transaction ends. Raises UnknownCustomer: erased meanwhile."""
        ...

    def lock(self, ids: Set[CustomerId]) -> None:
        """Those of `ids` that there are, locked until the transaction ends; in one order, whoever asks."""
        ...

    def add(self, customer: Customer) -> None:
        """Insert; whoever is known already stays as they are."""
        ...

    def save(self, customer: Customer) -> None:
        """Insert or update."""
        ...

    def erase_next(self, id: CustomerId, at: datetime | None) -> None:
        """When erasing is tried next; None: not at all."""
        ...

    def due_for_erasure(self, now: datetime, limit: int) -> Sequence[CustomerId]: ...

    def erase(self, id: CustomerId) -> None:
        """The customer with subscription, grants and messages. No access may be left; payments become NOBODY's."""
        ...


class Payments(Protocol):
    def add(self, payment: Payment, check_at: datetime) -> None: ...

    def find(self, id: PaymentId) -> Payment | None: ...

    def by_provider_id(self, provider_id: str) -> Payment | None: ...

    def of_customer(self, customer_id: CustomerId) -> Sequence[Payment]:
        """All of the customer's payments, the newest first."""
        ...

    def paid_between(self, since: datetime, until: datetime) -> Sequence[Payment]:
        """The PAID payments that were opened then."""
        ...

    def needing_a_person(self) -> Sequence[Payment]:
        """Those with `attention`, the oldest first."""
        ...

    def failing_since(self, before: datetime) -> Sequence[Payment]:
        """Those about which the provider has not answered since `before` or longer."""
        ...

    def open_of(self, customer_id: CustomerId) -> Sequence[Payment]:
        """The customer's open payments, the newest first."""
        ...

    def has_paid_since(self, customer_id: CustomerId, since: datetime) -> bool:
        """Whether any payment of the customer was paid after that."""
        ...

    def save(self, payment: Payment) -> None: ...

    def schedule(self, id: PaymentId, check_at: datetime | None) -> None:
        """Check it then, whatever was planned; None: not at all."""
        ...

    def nudge(
        self, id: PaymentId | None, provider_id: str | None, now: datetime, *, states: Set[PaymentState] = OPEN_STATES
    ) -> bool:
        """Have it checked as soon as allowed (two seconds after the last check), and often from then on; False if no
        payment in any of `states` fits."""
        ...

    def check_forgotten_refunds(self, now: datetime) -> None:
        """A payment with an open refund is due for a check, if none was planned."""
        ...

    def claim_due(self, now: datetime, leased_until: datetime, limit: int) -> Sequence[PaymentClaim]: ...

    def reschedule(self, claim: PaymentClaim, check_at: datetime | None) -> None:
        """End the lease; `check_at` moves only if nobody nudged meanwhile."""
        ...


class Refunds(Protocol):
    def find(self, id: RefundId) -> Refund | None: ...

    def by_provider_id(self, provider_id: str) -> Refund | None: ...

    def of_payment(self, id: PaymentId) -> Sequence[Refund]: ...

    def open_since(self, before: datetime) -> Sequence[Refund]:
        """The open ones that were opened before."""
        ...

    def save(self, refund: Refund) -> None:
        """Insert or update."""
        ...


class Subscriptions(Protocol):
    def find(self, id: SubscriptionId) -> Subscription | None: ...

    def of_customer(self, id: CustomerId) -> Subscription | None: ...

    def by_grant(self, id: GrantId) -> Subscription | None: ...

    def find_all(self, ids: Sequence[SubscriptionId]) -> Mapping[SubscriptionId, Subscription]:
        """Those of `ids` that there are."""
        ...

    def of_secrets_before(self, secret_number: int, limit: int) -> Sequence[SubscriptionId]:
        """Subscriptions whose keys are made from an older secret than this one."""
        ...

    def count_of_secrets_before(self, secret_number: int) -> int: ...

    def granted_sources(self, sources: Sequence[str]) -> Set[str]:
        """Which of these have a grant."""
        ...

    def save(self, subscription: Subscription, *, remind_at: datetime | None, expire_at: datetime | None) -> None:
        """Insert or update with its grants; `remind_at` and `expire_at`: when time alone next changes something. Where
        `counted_from` is another than before, traffic is counted from zero."""
        ...

    def revise(self, id: SubscriptionId, revision: int) -> None:
        """Let its revision be `revision`, if that is later than the one it has."""
        ...

    def take_up_forgotten(self, now: datetime) -> int:
        """Subscriptions with days left and nothing planned, of customers in good standing, are due for what time
        changes: so it is when our clock was ahead and was put back. How many."""
        ...

    def remind_next(self, id: SubscriptionId, remind_at: datetime | None) -> None: ...

    def due_for_reminder(self, now: datetime, limit: int) -> Sequence[SubscriptionId]: ...

    def due_for_expiry(self, now: datetime, limit: int) -> Sequence[SubscriptionId]: ...


class Accesses(Protocol):
    def want(
        self, ids: Sequence[AccessId], *, present: bool, due_at: datetime, urgency: Urgency = Urgency.CUSTOMER
    ) -> None:
        """Each of `ids` is wanted so, and due; rows are made where there are none. What is urgent already stays so."""
        ...

    def forget_unknown(self, ids: Sequence[AccessId], due_at: datetime) -> None:
        """A node holds these, and we have no such access: where there is still no row, one is made that is wanted
        absent, and due. Their subscriptions must exist."""
        ...

    def of_subscription(self, id: SubscriptionId) -> Sequence[AccessId]: ...

    def count_at(self, node: NodeCode) -> int:
        """How many the node holds or should still forget. It walks through all: for an operator who looks."""
        ...

    def find(self, id: AccessId) -> AccessRecord | None: ...

    def find_all(self, ids: Sequence[AccessId]) -> Mapping[AccessId, AccessRecord]:
        """Those of `ids` that there are."""
        ...

    def settled_at(self, keeper: Keeper, after: SubscriptionId | None, limit: int) -> Sequence[AccessId]:
        """Those that the keeper holds as far as we know, with nothing due, in the order of their subscriptions' ids."""
        ...

    def make_due(self, id: SubscriptionId, due_at: datetime) -> None:
        """Every access of the subscription is due then, present or absent as it is wanted."""
        ...

    def put_right(self, ids: Sequence[AccessId], due_at: datetime) -> None:
        """These are due as upkeep, if nothing is due of them now."""
        ...

    def fill(self, keeper: Keeper, after: SubscriptionId | None, now: datetime, limit: int) -> SweptPage:
        """Every running subscription of a customer in good standing has an access there, new ones due as upkeep; at
        most so many subscriptions are looked at, in the order of their ids."""
        ...

    def empty(self, node: NodeCode, after: SubscriptionId | None, now: datetime, limit: int) -> SweptPage:
        """What is wanted present on the node is wanted absent, as upkeep; at most so many subscriptions are looked at,
        in the order of their ids."""
        ...

    def claim_due(
        self,
        now: datetime,
        leased_until: datetime,
        limit: int,
        *,
        keeper: Keeper | None = None,
        besides: Sequence[Keeper] = (),
        urgency: Urgency | None = None,
    ) -> Sequence[AccessClaim]:
        """Those behind whose gate is open, at most `limit`, the urgent of each keeper first; behind a gate that has
        just opened only one, to try it. `keeper`: only its own; `besides`: none of theirs; `urgency`: only such."""
        ...

    def applied(self, claim: AccessClaim, wanted: WantedAccess) -> None:
        """The node holds `wanted`; the access stays due only if it became due again meanwhile."""
        ...

    def all_applied(self, done: Sequence[tuple[AccessClaim, WantedAccess]]) -> None:
        """As `applied` and `removed`, for many: the node holds what is wanted present, and nothing of the others."""
        ...

    def removed(self, claim: AccessClaim) -> None:
        """The node holds nothing of it any more: the row goes, unless it is wanted again meanwhile."""
        ...

    def failed(self, claim: AccessClaim, retry_at: datetime) -> None: ...

    def released(self, claims: Sequence[AccessClaim]) -> None:
        """Nothing was tried: they are due as before."""
        ...

    def progress(self, id: SubscriptionId, now: datetime) -> AccessProgress: ...

    def behind_since(self, before: datetime) -> Sequence[tuple[AccessId, datetime]]:
        """Those behind since `before` or longer, and since when."""
        ...


class Messages(Protocol):
    def queue(self, message: Message) -> bool:
        """False when a message with this unique key was queued before."""
        ...

    def hasten(self, unique_key: str, due: datetime) -> None:
        """Let an unsent message go at `due` if that is earlier."""
        ...

    def claim_due(self, now: datetime, leased_until: datetime, limit: int) -> Sequence[MessageClaim]:
        """At most one for each customer that can be reached, by priority; what is past `valid_until` for anybody."""
        ...

    def sent(self, claim: MessageClaim, now: datetime) -> None: ...

    def dropped(self, claim: MessageClaim, reason: str, now: datetime) -> None: ...

    def retry(self, claim: MessageClaim, due: datetime) -> None: ...

    def finished(self, unique_keys: Sequence[str]) -> Set[str]:
        """Those of `unique_keys` whose message was sent, or dropped."""
        ...

    def waiting_since(self, before: datetime) -> Sequence[Message]:
        """The unsent ones queued before, to customers who can be reached."""
        ...

    def make_due(self, id: MessageId, now: datetime) -> None:
        """An unsent message goes now."""
        ...

    def take_up_again(self, customer_id: CustomerId, dropped_because: str, now: datetime) -> None:
        """The customer's messages about keys that were dropped for this reason go now."""
        ...


class NodeRecords(Protocol):
    def all(self) -> Sequence[NodeRecord]: ...

    def observed(self, observations: Mapping[NodeCode, NodeObservation]) -> None:
        """Remember; nobody else remembers anything of these nodes until the transaction ends."""
        ...

    def put_into_effect(self, code: NodeCode, state: NodeState) -> None: ...

    def remember_health(self, code: NodeCode, health: Mapping[str, Any]) -> None: ...

    def remember_audit(self, code: NodeCode, audit: Mapping[str, Any]) -> None: ...

    def gate_closed(self, code: NodeCode, protocol: KeyProtocol, now: datetime, chance: float) -> None:
        """One more failure: nothing is tried there for a pause that grows with the failures."""
        ...

    def gate_opened(self, code: NodeCode, protocol: KeyProtocol) -> None: ...

    def failing(self) -> Set[Keeper]:
        """Whose gate has been closed, and not opened since by anything that went well."""
        ...


@dataclass(frozen=True, slots=True)
class JobClaim:
    """A job leased for one run."""

    name: str
    leased_until: datetime


class Jobs(Protocol):
    """What the worker does at its hours; `application.jobs.Job` has the names."""

    def ensure(self, name: str, due_at: datetime) -> None:
        """The job is known, and due then if it was not known before."""
        ...

    def claim_due(
        self, names: Sequence[str], now: datetime, leased_until: datetime, limit: int
    ) -> Sequence[JobClaim]: ...

    def finished(self, claim: JobClaim, due_at: datetime, failed_at: datetime | None = None) -> None:
        """End the lease. `failed_at`: when, if it failed."""
        ...

    def hasten(self, name: str, due_at: datetime) -> None:
        """It runs then, if it would have run later; also if somebody is at it, who may have been killed."""
        ...

    def failing_since(self, before: datetime) -> Sequence[tuple[str, datetime]]:
        """Those that have failed every time since `before` or longer, and since when."""
        ...

    def make_due(self, name: str, now: datetime) -> bool:
        """A failing job runs now; False if it does not fail."""
        ...


@dataclass(frozen=True, slots=True)
class Count:
    """What a node's counter of one access says: bytes since the node made the user."""

    id: AccessId
    counter: int


class Traffic(Protocol):
    """Bytes, up and down together, over all of a subscription's accesses."""

    def count(self, counts: Sequence[Count], now: datetime) -> Mapping[SubscriptionId, int]:
        """Book what has come since each counter was last read; a counter below that began anew. What is not in the
        ledger is left out. The subscriptions that had traffic, and their use in the present period."""
        ...

    def used(self, id: SubscriptionId) -> int:
        """In the present period."""
        ...

    def by_hour(self, id: SubscriptionId, since: datetime) -> Mapping[datetime, int]:
        """Where there was traffic: by the start of the hour, for what is older by that of the day (UTC)."""
        ...

    def roll_up(self, before: datetime, limit: int) -> int:
        """At most so many hourly rows from before then become daily ones; how many did."""
        ...


class Rotations(Protocol):
    """When customers took new keys."""

    def since(self, id: SubscriptionId, moment: datetime) -> int: ...

    def record(self, id: SubscriptionId, rotation: int, now: datetime) -> None: ...


class Trials(Protocol):
    def taken(self, hashes: Sequence[str]) -> bool:
        """Whether any of these had a trial."""
        ...

    def lock(self) -> None:
        """Until this transaction ends no other takes a trial: what is counted stays true."""
        ...

    def taken_since(self, moment: datetime) -> int: ...

    def take(self, hash: str, now: datetime) -> bool:
        """False if it was taken before."""
        ...


@dataclass(frozen=True, slots=True)
class OperatorAct:
    """What an operator did: `subject` is what it was done to, `outcome` what was answered."""

    update_id: int
    operator_id: CustomerId
    at: datetime
    act: str
    subject: str
    reason: str
    outcome: str


class OperatorActs(Protocol):
    def find(self, update_id: int) -> OperatorAct | None: ...

    def record(self, act: OperatorAct) -> bool:
        """False if this update was recorded before; then nothing of the transaction may be done again."""
        ...

    def about(self, subjects: Sequence[str]) -> Sequence[OperatorAct]:
        """The newest first."""
        ...


class ToldStuck(Protocol):
    """What operators have been told of as stuck."""

    def replace(self, stuck: Set[str]) -> Set[str]:
        """Remember exactly these; which of them are new."""
        ...


class Ledger(Protocol):
    """One transaction: everything in it is stored together at the end of the `with` block, or nothing."""

    @property
    def customers(self) -> Customers: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def subscriptions(self) -> Subscriptions: ...
    @property
    def accesses(self) -> Accesses: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def nodes(self) -> NodeRecords: ...
    @property
    def refunds(self) -> Refunds: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def traffic(self) -> Traffic: ...
    @property
    def rotations(self) -> Rotations: ...
    @property
    def trials(self) -> Trials: ...
    @property
    def operator_acts(self) -> OperatorActs: ...
    @property
    def told_stuck(self) -> ToldStuck: ...


# A transaction that only reads; raises LedgerUnavailable when the database cannot be read now.
OpenLedger = Callable[[], AbstractContextManager[Ledger]]


class Transact(Protocol):
    """One whole transaction that may write. `work` may be run more than once, each time from the start and with nothing
    of the time before left: it must touch nothing but the ledger. Raises LedgerUnavailable when the database cannot
    take it now."""

    def __call__(self, work: Callable[[Ledger], T]) -> T: ...


class InThread(Protocol):
    """The bridge from coroutines to the synchronous ledger: `Transact` in a worker thread."""

    def __call__(self, work: Callable[[Ledger], T]) -> Coroutine[Any, Any, T]: ...


class RunInThread(Protocol):
    """The same bridge for a synchronous use case."""

    def __call__(self, work: Callable[[], T]) -> Coroutine[Any, Any, T]: ...


class Activity(StrEnum):
    """What the worker does."""

    SETTLE = "settle"
    PROVIDE = "provide"
    DELIVER = "deliver"
    REMIND = "remind"
    EXPIRE = "expire"
    ERASE = "erase"
    JOB = "job"


class Agenda(Protocol):
    """How the worker notices work. Used from one thread at a time."""

    def changed(self) -> bool:
        """Whether anybody has written since the last call; cheap enough to ask a hundred times a second."""
        ...

    def due(self, now: datetime) -> frozenset[Activity]:
        """What there is to do now; writes nothing."""
        ...

    def queues(self, now: datetime) -> Set[Queue]:
        """Where there is something to PROVIDE now; writes nothing."""
        ...


# ── The words ────────────────────────────────────────────────────────────────────────────────────────────────────────


class DescribePlan(Protocol):
    """How a payment is called on the provider's page and on the customer's statement; at most 128 characters."""

    def __call__(self, payment: Payment, language: Language) -> str: ...


@dataclass(frozen=True, slots=True)
class NewIds:
    """One source of ids for everything; tests give a predictable one."""

    make: NewId

    def payment(self) -> PaymentId:
        return PaymentId(self.make())

    def subscription(self) -> SubscriptionId:
        return SubscriptionId(self.make())

    def grant(self) -> GrantId:
        return GrantId(self.make())

    def message(self) -> MessageId:
        return MessageId(self.make())

    def refund(self) -> RefundId:
        return RefundId(self.make())

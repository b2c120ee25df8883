"""What a customer may see, and nobody else."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from node_a.application.overview import PaymentStage
from node_a.domain.customer import CustomerId, Language, Standing
from node_a.domain.errors import NodeUnavailable, UnknownPayment, UnknownSubscription
from node_a.domain.keys import outline_link
from node_a.domain.money import Money
from node_a.domain.node import NodeState, Protocol
from node_a.domain.payment import Payment, PaymentId
from node_a.domain.subscription import SubscriptionId, SubscriptionState
from tests.builders import ANNA, DAY, MONTH, NOW, OUTLINE, RING, a_node, a_payment
from tests.fakes.shop import ShopUnderTest

RUSSIAN = Language.RUSSIAN
DOWN = {protocol: NodeUnavailable("down") for protocol in Protocol}


def stage(shop: ShopUnderTest, payment: Payment) -> PaymentStage:
    return shop.show_payment(payment.id, ANNA.id, RUSSIAN).stage


def test_whoever_never_bought_has_no_subscription(shop: ShopUnderTest) -> None:
    assert shop.show_subscription(ANNA.id, RUSSIAN) is None


def test_a_customer_sees_state_keys_and_link_in_the_own_language(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()

    view = shop.show_subscription(ANNA.id, Language.ENGLISH)

    assert view is not None
    assert view.state is SubscriptionState.ACTIVE
    assert (view.ends_at, view.days_left, view.plan) == (NOW + 30 * DAY, 30, MONTH)
    assert [labelled.label for labelled in view.keys] == ["Germany de1 · VLESS", "Germany de1 · Shadowsocks"]
    assert view.preparing == 0
    assert view.link == f"https://shop.example.org/sub/{RING.link_token(shop.subscription())}"


def test_a_key_for_outline_is_offered_of_the_node_that_has_an_inbound_for_it_and_of_no_other(database_url: str) -> None:
    nodes = [a_node("de1"), a_node("de2", outline=OUTLINE)]
    shop = ShopUnderTest(database_url, nodes=nodes)
    try:
        shop.buys_and_gets()
        view = shop.show_subscription(ANNA.id, Language.ENGLISH)
        assert view is not None
        password = RING.outline_password(shop.subscription(), nodes[1].code)
    finally:
        shop.close()

    assert [one.label for one in view.outline] == ["Germany de2 · Outline"]
    assert [one.link for one in view.outline] == [outline_link(nodes[1], OUTLINE, password, "Germany de2 · Outline")]
    assert len(view.keys) == 4
    assert view.outline[0].link not in {labelled.key.link for labelled in view.keys}
    assert password not in repr(view)


def test_a_key_for_outline_comes_and_goes_with_the_vless_key(shop: ShopUnderTest) -> None:
    shop.domain_nodes[0] = a_node(outline=OUTLINE)
    shop.node.fails_with = {Protocol.VLESS: NodeUnavailable("down")}
    shop.buys_and_gets()
    assert offered_for_outline(shop) == []

    shop.node.fails_with = {}
    shop.passes(timedelta(minutes=2))
    shop.works()
    [first] = offered_for_outline(shop)

    shop.rotate_keys(ANNA.id, 0)
    assert offered_for_outline(shop) == []
    shop.works()
    [second] = offered_for_outline(shop)
    assert first != second

    shop.passes(31 * DAY)
    assert offered_for_outline(shop) == []


def offered_for_outline(shop: ShopUnderTest) -> list[str]:
    view = shop.show_subscription(ANNA.id, RUSSIAN)
    return [one.link for one in view.outline] if view else []


def test_a_retired_node_leaves_the_link_at_once_and_nobody_waits_for_it(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    view = replace(shop.view, nodes=[a_node(state=NodeState.RETIRED)])

    with shop.ledger() as ledger:
        shown = view(ledger, shop.subscription(), RUSSIAN)

    assert (shown.keys, shown.preparing) == ([], 0)


def test_an_expired_customer_sees_no_keys_but_the_end(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    shop.passes(31 * DAY)

    view = shop.show_subscription(ANNA.id, RUSSIAN)

    assert view is not None
    assert view.state is SubscriptionState.EXPIRED
    assert (view.keys, view.days_left, view.preparing) == ([], 0, 0)


def test_the_waiting_screen_tells_every_step_of_the_truth(shop: ShopUnderTest) -> None:
    shop.node.fails_with = DOWN
    payment = shop.chooses()
    assert stage(shop, payment) is PaymentStage.WAITING

    shop.provider.pays(payment)
    assert stage(shop, payment) is PaymentStage.WAITING, "only the provider's word to us counts"
    shop.nudge(payment.id, None)
    shop.works()
    assert stage(shop, payment) is PaymentStage.PREPARING

    shop.passes(timedelta(seconds=16))
    assert stage(shop, payment) is PaymentStage.SLOW

    shop.node.fails_with = {}
    shop.passes(timedelta(minutes=2))
    shop.works()
    shown = shop.show_payment(payment.id, ANNA.id, RUSSIAN)
    assert shown.stage is PaymentStage.READY
    assert shown.subscription is not None
    assert len(shown.subscription.keys) == 2


def test_whoever_walked_away_may_go_on_while_the_link_lives(shop: ShopUnderTest) -> None:
    assert shop.show_open_payment(ANNA.id) is None
    payment = shop.chooses()

    assert shop.show_open_payment(ANNA.id) == shop.payment(payment)
    assert shop.show_open_payment(CustomerId(2)) is None
    shop.passes(timedelta(minutes=46))
    assert shop.show_open_payment(ANNA.id) is None


def test_a_declined_an_abandoned_and_a_disputed_payment_are_shown_as_such(shop: ShopUnderTest) -> None:
    declined = shop.chooses()
    shop.provider.cancels(declined, "expired_on_confirmation")
    shop.nudge(declined.id, None)
    shop.works()
    disputed = shop.chooses()
    shop.provider.pays(disputed, amount=Money(1))
    shop.nudge(disputed.id, None)
    shop.works()
    abandoned = a_payment(id=PaymentId(uuid4())).abandoned(NOW)
    with shop.database.open_ledger() as ledger:
        ledger.payments.add(abandoned, NOW)

    assert stage(shop, declined) is PaymentStage.DECLINED
    assert stage(shop, disputed) is PaymentStage.DISPUTED
    assert stage(shop, abandoned) is PaymentStage.ABANDONED


def test_nobody_sees_another_customers_payment(shop: ShopUnderTest) -> None:
    payment = shop.chooses()

    with pytest.raises(UnknownPayment):
        shop.show_payment(payment.id, CustomerId(2), RUSSIAN)
    with pytest.raises(UnknownPayment):
        shop.show_payment(PaymentId(uuid4()), ANNA.id, RUSSIAN)


def test_whoever_only_holds_a_payments_id_sees_its_stage_and_no_keys(shop: ShopUnderTest) -> None:
    payment = shop.buys_and_gets()

    shown = shop.show_payment(payment.id, None, RUSSIAN)

    assert shown.stage is PaymentStage.READY
    assert shown.subscription is None


def test_the_link_gives_the_keys_and_every_wrong_token_the_same_refusal(shop: ShopUnderTest) -> None:
    shop.buys_and_gets()
    token = RING.link_token(shop.subscription())
    stranger = RING.link_token(replace(shop.subscription(), id=SubscriptionId(uuid4())))
    rotated = RING.link_token(replace(shop.subscription(), rotation=1))

    assert len(shop.open_link(token).keys) == 2
    for wrong in ("", "nonsense", stranger, rotated, token[:-1], token + "A"):
        with pytest.raises(UnknownSubscription):
            shop.open_link(wrong)


@pytest.mark.parametrize("standing", [Standing.BANNED, Standing.DELETED])
@pytest.mark.parametrize("had_keys", [True, False])
def test_late_money_of_somebody_who_gets_no_days_promises_no_keys(
    shop: ShopUnderTest, standing: Standing, had_keys: bool
) -> None:
    if had_keys:
        shop.buys_and_gets()
    payment = shop.buys()
    with shop.database.open_ledger() as ledger:
        ledger.customers.save(ledger.customers.locked(ANNA.id).now_in(standing))
    shop.works()
    assert shop.payment(payment).is_paid

    for who in (ANNA.id, None):
        assert shop.show_payment(payment.id, who, RUSSIAN).stage is PaymentStage.DISPUTED

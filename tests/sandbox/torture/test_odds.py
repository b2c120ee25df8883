"""Webhooks that are lost, doubled and late by chance."""

import pytest
import requests

from tests.sandbox.yookassa.bodies import open_payment
from tests.sandbox.yookassa.running import RunningYooKassa, running_yookassa


def odds(yookassa: RunningYooKassa, **chances: float) -> None:
    yookassa.control("/webhooks/odds", chances)


def paid(yookassa: RunningYooKassa) -> str:
    payment = str(open_payment(yookassa)["id"])
    yookassa.pay(payment)
    return payment


def test_a_chance_of_one_loses_every_webhook_until_the_odds_are_good_again() -> None:
    with running_yookassa() as yookassa:
        odds(yookassa, lost=1)
        lost = [paid(yookassa), paid(yookassa)]
        odds(yookassa)
        kept = paid(yookassa)

        assert yookassa.receiver.next()["object"]["id"] == kept
        assert {entry["payment_id"] for entry in yookassa.deliveries() if entry["lost"]} == set(lost)


def test_a_chance_of_one_doubles_every_webhook() -> None:
    with running_yookassa() as yookassa:
        odds(yookassa, twice=1)
        paid(yookassa)

        assert yookassa.receiver.next() == yookassa.receiver.next()


def test_a_late_webhook_is_overtaken_by_the_next_one() -> None:
    with running_yookassa() as yookassa:
        odds(yookassa, late=1, latest_seconds=3600)
        late = paid(yookassa)
        odds(yookassa)
        prompt = paid(yookassa)
        assert yookassa.receiver.next()["object"]["id"] == prompt

        yookassa.advance(3600)

        assert yookassa.receiver.next()["object"]["id"] == late


def test_the_same_seed_loses_the_same_webhooks() -> None:
    with running_yookassa() as yookassa:
        fates = []
        for _ in range(2):
            odds(yookassa, lost=0.5, seed=3)
            payments = [paid(yookassa) for _ in range(8)]
            lost = {entry["payment_id"] for entry in yookassa.deliveries() if entry["lost"]}
            fates.append([payment in lost for payment in payments])

        assert fates[0] == fates[1]
        assert len(set(fates[0])) == 2


@pytest.mark.parametrize("body", [{"lost": "often"}, {"lost": 2}, {"sometimes": 0.5}])
def test_odds_that_are_none_are_refused(body: dict[str, object]) -> None:
    with running_yookassa() as yookassa, pytest.raises(requests.HTTPError, match="400"):
        yookassa.control("/webhooks/odds", body)

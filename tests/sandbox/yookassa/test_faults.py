"""The faults the API shows on demand, as a client sees them."""

import pytest
import requests

from tests.sandbox.yookassa.bodies import a_payment, open_payment
from tests.sandbox.yookassa.openapi import check_exchange
from tests.sandbox.yookassa.running import SECRET_KEY, SHOP_ID, RunningYooKassa


def post(yookassa: RunningYooKassa, key: str, timeout: float = 5) -> requests.Response:
    return requests.post(
        f"{yookassa.api_url}/payments",
        json=a_payment(),
        auth=(SHOP_ID, SECRET_KEY),
        headers={"Idempotence-Key": key},
        timeout=timeout,
    )


def test_500_after_work_hides_a_payment_that_the_repeat_finds(yookassa: RunningYooKassa, key: str) -> None:
    yookassa.fail_next("500_after_work")

    assert post(yookassa, key).status_code == 500
    hidden = yookassa.call("GET", "/payments")["items"]
    assert post(yookassa, key).json()["id"] == hidden[0]["id"]
    assert len(yookassa.call("GET", "/payments")["items"]) == 1


@pytest.mark.parametrize(("fault", "payments"), [("drop", 0), ("drop_after_work", 1)])
def test_a_dropped_connection(yookassa: RunningYooKassa, key: str, fault: str, payments: int) -> None:
    yookassa.fail_next(fault)

    with pytest.raises(requests.ConnectionError):
        post(yookassa, key)
    assert len(yookassa.call("GET", "/payments")["items"]) == payments


def test_a_hanging_call_ends_with_the_client_and_does_not_hold_the_stop(yookassa: RunningYooKassa, key: str) -> None:
    yookassa.fail_next("hang")

    with pytest.raises(requests.ReadTimeout):
        post(yookassa, key, timeout=0.3)
    assert yookassa.call("GET", "/payments")["items"] == []


@pytest.mark.parametrize(("fault", "status"), [("html", 502), ("html_200", 200), ("429", 429)])
def test_answers_that_help_nobody(yookassa: RunningYooKassa, key: str, fault: str, status: int) -> None:
    yookassa.fail_next(fault, count=2)

    answers = [post(yookassa, key), post(yookassa, key)]

    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].headers["Content-Type"].startswith("text/html" if "html" in fault else "application/json")
    assert post(yookassa, key).status_code == 200
    for exchange in yookassa.exchanges():
        assert check_exchange(exchange) == []


def test_an_unknown_fault_is_refused_and_none_clears(yookassa: RunningYooKassa) -> None:
    with pytest.raises(requests.HTTPError):
        yookassa.fail_next("earthquake")
    yookassa.fail_next("429", count=5)
    yookassa.control("/faults", {"next": None})
    assert open_payment(yookassa)["http_status"] == 200

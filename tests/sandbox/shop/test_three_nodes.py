"""Three nodes behind one shop, with real processes: one is lost, wiped, added, retired; nobody is left without keys.

One shop for the whole file, and its order matters: the last tests change which nodes there are.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from node_a.application.jobs import Job
from sandbox.customer import Customer, Delivery, actions, held_by, keys_and_link, linked_keys
from sandbox.nodes import host_of
from sandbox.shop import PROJECT, migrated_node_a, shop_without_node_a
from tests.sandbox.shop.site import Site
from tests.sandbox.shop.test_purchase import says
from tests.waiting import until

pytestmark = [pytest.mark.proof, pytest.mark.slow]

OPERATOR: Final = 1
GIGABYTE: Final = 10**9
A_MONTH: Final = 30 * 86_400
# Milliseconds. Two seconds is the promise; this machine may be busy with a whole test run.
AT_ONCE: Final = 10_000
# Seconds. A node is believed to be gone after two minutes of silence, and to be back after half of one.
PATIENT: Final = 300.0

_numbers = itertools.count(7_000_000_700)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("three")
    settings = {"PLANS_FILE": str(plans_with_a_limit(directory)), "LOG_LEVEL": "DEBUG"}
    with shop_without_node_a(directory / "shop", nodes=3) as shop, migrated_node_a(shop, settings) as start:
        site = Site(shop, start, settings)
        site.open()
        yield site
        site.close()


def plans_with_a_limit(directory: Path) -> Path:
    file = directory / "plans.toml"
    limited = '\n[[plans]]\ncode = "small"\ndays = 30\nprice = "99.00"\ntraffic_gb = 1\n'
    file.write_text((PROJECT / "plans.toml").read_text(encoding="utf-8") + limited, encoding="utf-8")
    return file


NewCustomer = Callable[[], Customer]


@pytest.fixture
def new_customer(site: Site) -> Iterator[NewCustomer]:
    customers: list[Customer] = []

    def make() -> Customer:
        customers.append(Customer(site.shop, next(_numbers)))
        return customers[-1]

    yield make
    for customer in customers:
        customer.close()
    site.shop.stand_ins.troubles.all_off()


@pytest.fixture
def operator(site: Site) -> Iterator[Customer]:
    operator = Customer(site.shop, OPERATOR, patience=PATIENT)
    operator.write("/start")
    yield operator
    operator.close()


def chat_of(customer: Customer) -> list[dict[str, Any]]:
    """All of it."""
    return [message for message in customer.read_again() if message["from"]["is_bot"]]


def everywhere(nodes: list[str]) -> set[tuple[str, str]]:
    return {(scheme, host_of(code)) for code in nodes for scheme in ("vless", "ss")}


def filled(link: str, nodes: list[str]) -> list[str]:
    """The keys of the link, once they are those of exactly these nodes."""
    until(lambda: held_by(linked_keys(link)) == everywhere(nodes))
    return linked_keys(link)


def buy_side_by_side(customers: list[Customer], after: int, happens: Callable[[], None]) -> list[Delivery]:
    """Three at a time; `happens` as soon as so many have their keys, while the others are in the middle of it."""
    with ThreadPoolExecutor(3) as tills:
        purchases: list[Future[Delivery]] = [tills.submit(customer.buy, "month") for customer in customers]
        wait(purchases[:after])
        happens()
        return [purchase.result() for purchase in purchases]


def test_a_node_that_dies_in_the_middle_of_purchases_delays_nobody_and_holds_everybody_afterwards(
    site: Site, new_customer: NewCustomer, operator: Customer
) -> None:
    before, meanwhile, after = ([new_customer() for _ in range(6)] for _ in range(3))
    name = "Германия 2"

    deliveries = buy_side_by_side(before, after=3, happens=lambda: site.shop.stand_ins.stop_node("de2"))
    deliveries += buy_side_by_side(meanwhile, after=0, happens=lambda: None)
    operator.wait_for(says(name))
    deliveries += buy_side_by_side(after, after=3, happens=lambda: site.shop.stand_ins.start_node("de2"))
    operator.wait_for(says(name))

    took = sorted(one.purchase_to_keys_ms for one in deliveries)
    assert took[-1] < AT_ONCE, took
    for delivery in deliveries:
        keys = filled(delivery.subscription_link, site.nodes)
        assert all(site.lets_in(code, keys) for code in site.nodes)
    for customer in (*before, *meanwhile, *after):
        assert len([message for message in chat_of(customer) if keys_and_link(message)]) == 1
    assert len([message for message in chat_of(operator) if name in message["text"]]) == 2


def test_a_panel_that_is_wiped_during_sales_gets_all_keys_back_by_itself(site: Site, new_customer: NewCustomer) -> None:
    customers = [new_customer() for _ in range(6)]

    deliveries = buy_side_by_side(customers, after=3, happens=lambda: site.wipe("nl1", "marzban"))
    links = [delivery.subscription_link for delivery in deliveries]
    keys = [key for link in links for key in filled(link, site.nodes)]
    assert not site.lets_in("nl1", keys), "else nothing was lost"

    site.run_now(Job.AUDIT)
    until(lambda: site.lets_in("nl1", keys))

    assert sorted(key for link in links for key in linked_keys(link)) == sorted(keys)


def test_new_keys_kill_the_old_link_and_the_old_keys_on_every_node(site: Site, new_customer: NewCustomer) -> None:
    customer = new_customer()
    old_link = customer.buy("month").subscription_link
    old = filled(old_link, site.nodes)

    customer.write("/my")
    card = customer.wait_for(lambda message: message if "rotate:ask" in actions(message) else None)
    customer.press(card, "rotate:ask")
    question = customer.wait_for(lambda message: message if asked(message) else None)
    customer.press(question, asked(question) or "")
    new_link = customer.wait_for(another_link_than(old_link))

    assert httpx.get(old_link, trust_env=False).status_code == 404
    new = filled(new_link, site.nodes)
    assert not set(old) & set(new)
    for code in site.nodes:
        until(partial(site.lets_in, code, new))
        assert site.knows_none_of(code, old)


def asked(message: dict[str, Any]) -> str | None:
    return next((action for action in actions(message) if action.startswith("rotate:yes")), None)


def another_link_than(link: str) -> Callable[[dict[str, Any]], str | None]:
    def the_new_link(message: dict[str, Any]) -> str | None:
        found = re.findall(r"https?://\S+/sub/\S+", message.get("text", ""))
        return next((each for each in found if each != link), None)

    return the_new_link


def test_traffic_of_all_nodes_is_counted_together_and_the_limit_holds_until_the_renewal(
    site: Site, new_customer: NewCustomer
) -> None:
    customer = new_customer()
    link = customer.buy("small").subscription_link
    keys = filled(link, site.nodes)
    assert facts(link)["total"] == GIGABYTE

    site.add_traffic("de1", keys, 100_000_000)
    site.add_traffic("nl1", keys, 150_000_000)
    site.run_now(Job.COUNT_TRAFFIC)
    assert facts(link)["download"] + facts(link)["upload"] == 500_000_000
    customer.write("/my")
    customer.wait_for(says("500"))

    site.add_traffic("de2", keys, 250_000_000)
    site.run_now(Job.COUNT_TRAFFIC)
    customer.wait_for(says("Трафик за этот период закончился"))
    until(lambda: not any(site.lets_in(code, [key]) for code in site.nodes for key in keys))
    until(lambda: not held_by(linked_keys(link)) & everywhere(site.nodes))

    renewed = customer.buy("small")
    assert renewed.purchase_to_keys_ms < AT_ONCE
    assert sorted(filled(link, site.nodes)) == sorted(keys)
    assert all(site.lets_in(code, keys) for code in site.nodes)


def facts(link: str) -> dict[str, int]:
    """What apps show above the list of servers."""
    header = httpx.get(link, trust_env=False).headers["subscription-userinfo"]
    return {name: int(value) for name, _, value in (part.strip().partition("=") for part in header.split(";"))}


def test_whoever_holds_the_link_renews_from_a_plain_browser(site: Site, new_customer: NewCustomer) -> None:
    customer = new_customer()
    link = customer.buy("month").subscription_link
    keys = filled(link, site.nodes)
    before = facts(link)["expire"]

    with httpx.Client(trust_env=False, follow_redirects=True, timeout=30) as browser:
        page = browser.post(f"{link}/payments", data={"plan": "month"}, headers={"Accept": "text/html"})
        found = re.search(re.escape(site.shop.yookassa_url) + r"/pay/([0-9a-f-]+)", page.text)
        assert found, page.text
        browser.post(f"{site.shop.yookassa_url}/sandbox/payments/{found[1]}/pay", json={}).raise_for_status()
    customer.wait_for(keys_and_link)

    assert facts(link)["expire"] == before + A_MONTH
    assert sorted(filled(link, site.nodes)) == sorted(keys)


def test_a_node_that_is_added_gets_the_keys_of_everybody_by_itself(site: Site, new_customer: NewCustomer) -> None:
    links = [new_customer().buy("month").subscription_link for _ in range(3)]
    for link in links:
        filled(link, site.nodes)

    added = site.shop.add_node()
    site.restart()

    assert len(site.nodes) == 4
    for keys in [filled(link, site.nodes) for link in links]:
        until(partial(site.lets_in, added, keys))
    assert len(site.users(added)) == len(site.users("de1")) > 2 * len(links)


def test_a_node_that_is_retired_leaves_the_links_at_once_and_then_nothing_of_it_is_left(
    site: Site, new_customer: NewCustomer
) -> None:
    link = new_customer().buy("month").subscription_link
    old = filled(link, site.nodes)
    kept = [code for code in site.nodes if code != "de2"]

    site.settings["NODES__DE2__STATE"] = "retired"
    site.restart()

    assert held_by(linked_keys(link)) == everywhere(kept)
    until(lambda: site.users("de2") == [])
    until(lambda: site.rows_of("de2") == 0)
    assert site.rows_of("de1") == len(site.users("de1"))
    assert set(linked_keys(link)) == {key for key in old if host_of("de2") not in key}

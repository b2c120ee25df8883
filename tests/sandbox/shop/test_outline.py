"""A shop of two nodes of which one has an inbound for Outline's client, with real processes.

One shop for the whole file, and its order matters: the last test gives the other node the inbound, too.
"""

import base64
from collections.abc import Iterator

import httpx
import pytest

from node_a.application.jobs import Job
from sandbox.customer import Customer, linked_keys
from sandbox.nodes import host_of
from sandbox.shop import migrated_node_a, shop_without_node_a
from sandbox.stand_ins import OUTLINE_PORT
from tests.sandbox.shop.site import Site
from tests.waiting import until

pytestmark = pytest.mark.proof

BROWSER = {"User-Agent": "Mozilla/5.0 (Linux; Android 14)", "Accept": "text/html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory = tmp_path_factory.mktemp("outline")
    with shop_without_node_a(directory, nodes=2) as shop, migrated_node_a(shop, {"LOG_LEVEL": "DEBUG"}) as start:
        site = Site(shop, start, {})
        gets_the_inbound(site, "de2")
        site.open()
        yield site
        site.close()


@pytest.fixture
def anna(site: Site) -> Iterator[Customer]:
    anna = Customer(site.shop)
    yield anna
    anna.close()


def gets_the_inbound(site: Site, code: str) -> None:
    """As after `deploy_node_b.sh` with a port for it; Node A hears of it when it is started the next time."""
    site.shop.stand_ins.outline.add(code)
    site.shop.stand_ins.stop_node(code)
    site.shop.stand_ins.start_node(code)


def passwords_at(site: Site, code: str) -> set[str | None]:
    users = httpx.get(f"{site.shop.node_urls[code]}/sandbox/marzban/users", trust_env=False).json()
    return {user["proxies"].get("shadowsocks", {}).get("password") for user in users.values()}


def for_outline(keys: list[str]) -> dict[str, str]:
    """By host the password, of those with a classic method."""
    found = {}
    for key in keys:
        user, _, address = key.partition("#")[0].removeprefix("ss://").partition("@")
        host, _, port = address.partition(":")
        if port == str(OUTLINE_PORT):
            method, _, found[host] = base64.b64decode(user).decode().partition(":")
            assert method == "chacha20-ietf-poly1305"
    return found


def test_the_customer_gets_a_key_for_outline_of_the_node_that_has_it_and_of_no_other(
    site: Site, anna: Customer
) -> None:
    bought = anna.buy("month")
    keys = for_outline(bought.keys)
    page = httpx.get(bought.subscription_link, headers=BROWSER, trust_env=False).text

    until(lambda: passwords_at(site, "de1") == {None})
    assert keys.keys() == {host_of("de2")}
    assert passwords_at(site, "de2") == set(keys.values())
    [link] = [key for key in bought.keys if f":{OUTLINE_PORT}#" in key]
    assert link in page
    assert link not in linked_keys(bought.subscription_link)
    log, [password] = site.shop.log.read_text(encoding="utf-8"), keys.values()
    assert "send_request_body" in log  # it is talkative
    assert password not in log
    assert link.partition("#")[0] not in log


def test_a_node_that_gets_the_inbound_later_gives_everybody_a_key_after_the_next_audit(
    site: Site, anna: Customer
) -> None:
    assert passwords_at(site, "de1") == {None}
    before = passwords_at(site, "de2")

    gets_the_inbound(site, "de1")
    site.restart()
    site.run_now(Job.AUDIT)

    until(lambda: None not in passwords_at(site, "de1"))
    anna.write("/my")
    shown = anna.wait_for(keys_for_outline)
    assert {host: {password} for host, password in shown.items()} == {
        host_of(code): passwords_at(site, code) for code in ("de1", "de2")
    }
    assert passwords_at(site, "de2") == before


def keys_for_outline(message: dict[str, str]) -> dict[str, str] | None:
    """Of both nodes; earlier messages hold fewer."""
    found = for_outline([word for word in message.get("text", "").split() if word.startswith("ss://")])
    return found if len(found) == 2 else None

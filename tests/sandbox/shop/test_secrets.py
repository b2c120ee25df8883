"""Nothing secret is written anywhere by a whole shop at its most talkative, in good times and in bad ones."""

import base64
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
import pytest

from sandbox.customer import Customer, Delivery, keys_and_link, web_app_url
from sandbox.shop import PROJECT, Shop
from sandbox.state import Secrets, secrets_of
from tests.sandbox.shop.conftest import NewCustomer
from tests.sandbox.shop.test_purchase import journal
from tests.waiting import until

pytestmark = pytest.mark.slow


def settings_secrets(secrets: Secrets) -> dict[str, str]:
    """Every secret of the settings, in the forms in which a library might print it."""
    found = {name: value for name, value in asdict(secrets).items() if name != "nodes"}
    for code, node in secrets.nodes.items():
        found |= {f"{code} {name}": value for name, value in asdict(node).items() if name != "reality_public_key"}
    basic = base64.b64encode(f"100500:{secrets.yookassa_secret_key}".encode()).decode()
    return {**found, "basic authorization": basic, "quoted token": quote(secrets.bot_token, safe="")}


def customers_secrets(keys: list[str], link: str) -> dict[str, str]:
    vless = next(key for key in keys if key.startswith("vless://"))
    shadowsocks = next(key for key in keys if key.startswith("ss://"))
    return {
        "vless id": urlsplit(vless).username or "",
        "shadowsocks user key": unquote(urlsplit(shadowsocks).password or "").split(":")[1],
        "shadowsocks link's password": urlsplit(shadowsocks).password or "",
        "link token": link.rpartition("/")[2],
        "a vless link": "vless://",
        "a shadowsocks link": "ss://",
    }


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    assert all(len(secret) >= 5 for secret in secrets.values())
    return [name for name, secret in secrets.items() if secret in text]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """What `make smoke` runs, with the log at its most talkative."""
    directory = tmp_path_factory.mktemp("smoke") / "state"
    command = [sys.executable, "-m", "sandbox", "smoke", "--directory", str(directory)]
    environment = {**os.environ, "LOG_LEVEL": "DEBUG"}
    return directory, subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_smoke_ends_with_one_line_of_json(smoke: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, result = smoke

    assert result.returncode == 0, result.stderr
    delivered = Delivery(**json.loads(result.stdout.splitlines()[-1]))
    assert delivered.purchase_to_keys_ms > 0
    assert delivered.subscription_link.startswith("http")


def test_nothing_that_smoke_wrote_holds_a_secret(smoke: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    directory, result = smoke
    last = json.loads(result.stdout.splitlines()[-1])
    secrets = {
        **settings_secrets(secrets_of(directory)),
        **customers_secrets(last["keys"], last["subscription_link"]),
    }
    log = (directory / "node_a.log").read_text(encoding="utf-8")

    assert '"level": "debug"' in log, "the log was not talkative enough to prove anything"
    assert found_in(log, secrets) == []
    assert found_in(result.stderr, secrets) == []
    assert found_in("\n".join(result.stdout.splitlines()[:-1]), secrets) == []


def test_the_database_holds_no_key_and_no_token(smoke: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    directory, result = smoke
    last = json.loads(result.stdout.splitlines()[-1])
    secrets = {
        **settings_secrets(secrets_of(directory)),
        **customers_secrets(last["keys"], last["subscription_link"]),
    }
    files = sorted(directory.glob("node_a.db*"))
    held = b"".join(file.read_bytes() for file in files).decode("latin-1")

    assert "payment:" in held, "this is not the database that sold something"
    assert found_in(held, secrets) == []


def test_what_strangers_plant_is_not_written_either(whole_shop: Shop, new_customer: NewCustomer) -> None:
    customer, secrets = new_customer(), whole_shop.secrets
    delivery = customer.buy("month")
    customer.write("/start")
    init_data, _ = customer.open_mini_app(customer.wait_for(web_app_url))
    planted = plant(whole_shop, customer, delivery, init_data)

    log = whole_shop.log.read_text(encoding="utf-8")

    assert found_in(log, {**settings_secrets(secrets), **planted}) == []
    assert found_in(log, customers_secrets(delivery.keys, delivery.subscription_link)) == []


def plant(shop: Shop, customer: Customer, delivery: Delivery, init_data: str) -> dict[str, str]:
    """Everything where it does not belong: addresses, headers, bodies, messages; and dead neighbours meanwhile."""
    secrets, node = shop.secrets, shop.secrets.nodes["de1"]
    wrong = init_data[:-4] + "0000"
    client = httpx.Client(base_url=shop.web_url, trust_env=False, timeout=20)
    for path in (
        f"/sub/{delivery.subscription_link.rpartition('/')[2]}?name={quote(delivery.keys[0])}",
        f"/bot{secrets.bot_token}/getMe",
        f"/unknown?token={node.agent_token}&password={node.panel_password}",
        f"/app?tgWebAppData={quote(init_data)}",
        f"/pay/return?payment={secrets.key_secret}",
    ):
        client.get(path)
    for authorization in (f"tma {init_data}", f"tma {wrong}", f"Bearer {node.agent_token}", secrets.bot_token):
        client.get("/app/home", headers={"Authorization": authorization})
    body = {"type": "notification", "event": "payment.succeeded", "object": {"id": secrets.yookassa_secret_key}}
    client.post("/webhooks/yookassa", json=body)
    for text in (secrets.bot_token, delivery.keys[0], delivery.keys[1], delivery.subscription_link, init_data[:4000]):
        customer.write(text)
    with_dead_neighbours(shop, customer)
    client.close()
    return {"init data's hash": init_data.rpartition("hash=")[2], "wrong init data": wrong[-60:]}


def with_dead_neighbours(shop: Shop, customer: Customer) -> None:
    """A purchase while Telegram and the panel hang up: exceptions carry addresses, and those carry tokens."""
    troubles = shop.stand_ins.troubles
    payment = customer.choose("month")
    troubles.nodes["de1"].marzban_down = troubles.telegram_down = True
    customer.pay(payment)
    until(lambda: dropped(shop, "sendMessage"))
    troubles.all_off()
    customer.wait_for(keys_and_link)


def dropped(shop: Shop, method: str) -> bool:
    calls: list[dict[str, Any]] = journal(shop, f"{shop.chat_url}/sandbox/calls")
    return any(call["method"] == method and call["status"] is None for call in calls)

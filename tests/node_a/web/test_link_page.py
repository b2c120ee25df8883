"""The page at the subscription link, and renewal from it: without Telegram, without VPN, without scripts."""

import re
from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from node_a.application.overview import PaymentStage, SubscriptionView
from node_a.domain.customer import CustomerId, Language
from node_a.domain.errors import (
    CustomerBanned,
    LedgerUnavailable,
    PaymentRefused,
    ProviderUnavailable,
    UnknownCustomer,
    UnknownSubscription,
)
from node_a.domain.payment import Payment
from node_a.domain.subscription import SubscriptionId
from tests.node_a.web.preview_link import ANDROID, IPHONE, WINDOWS, states
from tests.node_a.web.shop import ANNA, LINK_TOKEN, NOW, FakeShop, tma

PAGE = f"/sub/{LINK_TOKEN}"
PAYMENTS = f"{PAGE}/payments"
UNKNOWN = f"/sub/{'A' * 43}"
MOVING = {PaymentStage.WAITING, PaymentStage.PREPARING, PaymentStage.SLOW}
HERS = "anna@example.com"
STATES = states(Language.ENGLISH)


def browser(agent: str = ANDROID, language: str = "de") -> dict[str, str]:
    return {"User-Agent": agent, "Accept": "text/html,application/xhtml+xml", "Accept-Language": language}


def opened(shop: FakeShop, path: str = PAGE, **headers: str) -> str:
    answer = shop.client().get(path, headers=browser(**headers))
    assert answer.status_code == 200
    return answer.text


def a_shop(view: SubscriptionView = STATES["active"], **changes: Any) -> FakeShop:
    return FakeShop(subscription=view, **changes)


def pays(client: FlaskClient, plan: str = "month", path: str = PAYMENTS, **form: str) -> TestResponse:
    return client.post(path, data={"plan": plan, **form}, headers=browser())


# ── what it says ──


@pytest.mark.parametrize(
    ("state", "sentences"),
    [
        ("active", ["12 days left", "until 4 December 2026", "34.6\u00a0GB", "of 100\u00a0GB"]),
        ("unlimited", ["1.5\u00a0GB", "no limit", "unlimited traffic"]),
        ("preparing", ["The keys are being prepared"]),
        ("suspended", ["The traffic of this period is used up", "100\u00a0GB", "Renew now, and the keys work at once"]),
        ("grace", ["has ended", "21 November 2026", "The keys still work until 24 November 2026, 15:00 Moscow time"]),
        ("ended", ["has ended", "It ended on 19 November 2026", "the same keys work again"]),
        ("closed", ["This subscription is closed", "@qent_support"]),
    ],
)
def test_it_says_how_the_subscription_stands(state: str, sentences: list[str]) -> None:
    page = opened(a_shop(STATES[state]))

    assert f'data-state="{STATES[state].state if state != "closed" else "closed"}"' in page
    for sentence in sentences:
        assert sentence in page


def test_a_used_up_period_before_the_end_names_the_day_when_the_keys_work_again() -> None:
    view = STATES["suspended"]
    assert view.traffic is not None
    soon = replace(view, ends_at=NOW + timedelta(days=200))

    assert "again by themselves on 4 December 2026" in opened(a_shop(soon))
    assert "by themselves on" not in opened(a_shop(view))  # its last period: nothing begins anew


@pytest.mark.parametrize(
    ("state", "adding", "renewing"),
    [
        ("active", True, True),
        ("preparing", True, True),
        ("grace", True, True),
        ("suspended", False, True),
        ("ended", False, True),
        ("closed", False, False),
    ],
)
def test_what_can_be_done_fits_the_state(state: str, adding: bool, renewing: bool) -> None:
    page = opened(a_shop(STATES[state]))

    assert ('data-testid="import"' in page) is adding
    assert ('data-testid="subscription-link"' in page) is adding
    assert ('data-testid="plan-month"' in page) is renewing
    assert ("<form" in page) is renewing


def test_a_key_for_outline_is_offered_where_there_is_one_and_otherwise_the_app_is_said_not_to_fit() -> None:
    with_it, without = opened(a_shop(STATES["outline"])), opened(a_shop())

    for one in STATES["outline"].outline:
        assert one.link in with_it
    assert "Outline takes neither the link nor the keys in it, only its own key" in with_it
    assert "Outline does not work" not in with_it
    assert "Outline does not work: it does not know Shadowsocks-2022 and VLESS." in without
    assert "ss://" not in without


def test_whoever_has_to_renew_finds_that_before_everything_else() -> None:
    ended, active = opened(a_shop(STATES["grace"])), opened(a_shop())

    assert ended.index('id="renew"') < ended.index('id="apps"')
    assert active.index('id="apps"') < active.index('id="renew"')


def test_it_speaks_the_customers_language_unless_asked_for_another() -> None:
    shop = a_shop(states(Language.RUSSIAN)["active"])

    assert "Осталось 12 дней" in opened(shop)  # whatever the browser prefers
    english = opened(shop, f"{PAGE}?lang=en")
    assert "12 days left" in english
    assert '<html lang="en">' in english
    assert f'action="{PAYMENTS}?lang=en"' in english
    assert f'href="{PAGE}?lang=ru"' in english
    for nonsense in ("de", "", "<script>"):
        assert "Осталось 12 дней" in opened(shop, f"{PAGE}?lang={nonsense}")


@pytest.mark.parametrize(
    ("agent", "title", "first", "absent"),
    [
        (ANDROID, "Android", "v2rayng://", "streisand://"),
        (IPHONE, "iPhone, iPad", "streisand://", "v2rayng://"),
        (WINDOWS, "Windows", "clash://", "streisand://"),
    ],
)
def test_the_visitors_own_system_comes_first_and_the_others_are_there_without_scripts(
    agent: str, title: str, first: str, absent: str
) -> None:
    page = opened(a_shop(), agent=agent)
    own = page[page.index('id="apps"') : page.index("<details", page.index('id="apps"'))]

    assert f"How to connect: {title}" in own
    assert f'href="{first}' in own
    assert absent not in own
    assert absent in page
    assert page.count('data-testid="system-') == 4


def test_the_link_itself_can_be_taken_by_hand_and_by_camera() -> None:
    page = opened(a_shop())

    assert f'data-testid="address">http://shop.test{PAGE}</code>' in page
    assert '<svg viewBox="0 0 ' in page
    assert '<details data-testid="qr">' in page
    assert '<details data-testid="qr" open>' in opened(a_shop(), agent=WINDOWS)


@pytest.mark.parametrize(("language", "name"), [("en", "The quickest server"), ("ru", "Самый быстрый сервер")])
def test_the_guide_calls_the_automatic_choice_as_our_own_profiles_do(language: str, name: str) -> None:
    assert name in opened(a_shop(), f"{PAGE}?lang={language}")


def test_it_is_honest_about_what_does_not_work() -> None:
    page = opened(a_shop())

    for words in ("Outline does not work", "Shadowsocks-2022", "inside Telegram", "Check the clock"):
        assert words in page


def test_a_shops_name_is_escaped_everywhere() -> None:
    page = a_shop().client(shop_name='"><i>&').get(PAGE, headers=browser()).text

    assert "<i>" not in page
    assert "&#34;&gt;&lt;i&gt;&amp;" in page


# ── what it does not say ──


@pytest.mark.parametrize("path", [PAGE, "payment", "problem"])
def test_nobody_keeps_forwards_or_finds_it_and_nothing_foreign_is_loaded(path: str) -> None:
    shop = a_shop()
    client = shop.client()
    if path == "payment":
        path = pays(client).headers["Location"]
    if path == "problem":
        shop.failing["renew_by_link"] = ProviderUnavailable("silent")
        answer = pays(client)
    else:
        answer = client.get(path, headers=browser())

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert not re.search(r"""<script(?![^>]*src="/static/)|\sstyle=|<style|\son\w+=""", answer.text)
    loaded = re.findall(r"""(?:src|<link[^>]*href)="([^"]+)""", answer.text)
    assert all(address.startswith(("/static/", "data:")) for address in loaded)


def test_nothing_about_the_customer_is_on_any_of_its_pages() -> None:
    shop = a_shop(receipts=True, last_address=HERS, trial=None)
    client = shop.client()
    pages = [opened(shop)]
    answer = pays(client, email="stranger@example.com")
    pages += [client.get(answer.headers["Location"], headers=browser()).text, pays(client, email="x").text]
    for stage in PaymentStage:
        id = next(iter(shop.payments))
        shop.move(id, stage, STATES["active"])
        pages.append(client.get(f"{PAYMENTS}/{id}", headers=browser()).text)

    assert len(pages) == 3 + len(PaymentStage)
    for page in pages:
        for secret in (str(ANNA), HERS, "stranger@example.com", "provider-", "vless://", "ss://"):
            assert secret not in page


def test_these_are_all_the_ways_that_a_link_opens() -> None:
    """Whoever adds one must say here what a stranger with the link can do with it."""
    rules = {
        (rule.rule, method)
        for rule in a_shop().app().url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if "token" in rule.arguments
    }
    assert rules == {
        ("/sub/<token>", "GET"),  # the keys and this page
        ("/sub/<token>/payments", "GET"),  # back to this page
        ("/sub/<token>/payments", "POST"),  # pay for this subscription
        ("/sub/<token>/payments/<uuid:id>", "GET"),  # what became of that
    }


def test_no_other_door_takes_the_links_token() -> None:
    shop = a_shop()
    client = shop.client()
    client.set_cookie("renewal", LINK_TOKEN, path="/")
    for rule in shop.app().url_map.iter_rules():
        if not rule.rule.startswith("/app/"):
            continue
        path = rule.rule.replace("<uuid:id>", str(UUID(int=1)))
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            for header in ({}, {"Authorization": f"tma {LINK_TOKEN}"}, {"Authorization": f"Bearer {LINK_TOKEN}"}):
                assert client.open(path, method=method, headers=header).status_code == 401
    assert not shop.payments
    assert not shop.registered


# ── renewal ──


def test_renewing_opens_a_payment_by_link_and_leads_to_our_own_page() -> None:
    shop = a_shop(STATES["ended"])
    client = shop.client()
    answer = pays(client, "year")

    (payment,) = (view.payment for view in shop.payments.values())
    assert (payment.by_link, payment.plan.code) == (True, "year")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{PAYMENTS}/{payment.id}"  # never the provider: form-action forbids it
    page = client.get(answer.headers["Location"], headers=browser()).text
    assert f'<a class="button" href="{payment.link}"' in page
    assert "To pay: 1,799\u00a0₽" in page


def test_a_language_asked_for_stays_through_the_payment() -> None:
    client = a_shop(states(Language.RUSSIAN)["ended"]).client()
    answer = pays(client, path=f"{PAYMENTS}?lang=en")

    page = client.get(answer.headers["Location"], headers=browser()).text
    assert "To pay" in page
    assert f'href="{PAGE}?lang=en#renew"' in page


@pytest.mark.parametrize("stage", list(PaymentStage))
def test_the_payments_page_tells_the_truth_and_looks_again_while_it_may_change(stage: PaymentStage) -> None:
    shop = a_shop()
    client = shop.client()
    where = pays(client).headers["Location"]
    (id,) = shop.payments
    shop.move(id, stage, STATES["active"] if stage is PaymentStage.READY else None)

    page = client.get(where, headers=browser()).text

    assert f'data-stage="{stage}"' in page
    assert ('<noscript><meta http-equiv="refresh" content="3"></noscript>' in page) is (stage in MOVING)
    assert ('data-refresh="3"' in page) is (stage in MOVING)
    assert ('data-testid="pay-link"' in page) is (stage is PaymentStage.WAITING)
    assert f'href="{PAGE}' in page
    assert ("Paid: the keys work" in page) is (stage is PaymentStage.READY)


def test_it_looks_ever_more_rarely_and_not_for_ever() -> None:
    shop = a_shop()
    client = shop.client()
    where = pays(client).headers["Location"]
    for minutes, seconds in ((1, 3), (10, 15), (61, None)):
        shop.now = NOW + timedelta(minutes=minutes)
        found = re.search(r'data-refresh="(\d+)"', client.get(where, headers=browser()).text)
        assert (int(found[1]) if found else None) == seconds


def test_what_the_customer_opened_or_another_link_did_is_not_there() -> None:
    shop = a_shop()
    client = shop.client()
    her_own = shop.stage(PaymentStage.WAITING)
    of_another = shop.renew_by_link(LINK_TOKEN, "month", None)
    view = shop.payments[of_another.id]
    shop.payments[of_another.id] = replace(view, payment=replace(view.payment, customer_id=CustomerId(8)))

    answers = [
        client.get(path, headers=browser())
        for path in (
            f"{PAYMENTS}/{her_own}",
            f"{PAYMENTS}/{of_another.id}",
            f"{PAYMENTS}/{UUID(int=99)}",
            f"{UNKNOWN}/payments/{her_own}",
            f"{UNKNOWN}/payments",
        )
    ]
    answers.append(pays(client, path=f"{UNKNOWN}/payments"))
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.data for answer in answers}) == 1
    assert len({str(sorted(answer.headers)) for answer in answers}) == 1
    assert len(shop.payments) == 2


@pytest.mark.parametrize("path", ["x", "%00", "ключ", LINK_TOKEN[:-1] + "B"])
def test_no_malformed_token_opens_a_payment(path: str) -> None:
    shop = a_shop()

    assert pays(shop.client(), path=f"/sub/{path}/payments").status_code == 404
    assert not shop.payments


@pytest.mark.parametrize("error", [UnknownSubscription("rotated meanwhile"), UnknownCustomer("erased meanwhile")])
def test_a_link_that_dies_at_this_moment_is_an_unknown_one(error: Exception) -> None:
    shop = a_shop(failing={"renew_by_link": error})

    assert pays(shop.client()).status_code == 404


def test_a_customer_banned_at_this_moment_is_told_in_a_sentence() -> None:
    answer = pays(a_shop(failing={"renew_by_link": CustomerBanned("7")}).client())

    assert answer.status_code == 403
    assert "This subscription is closed" in answer.text
    assert "<form" not in answer.text


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (ProviderUnavailable("a broken pipe"), 503, "provider-silent"),
        (PaymentRefused("bad shop"), 502, "payment-refused"),
        (LedgerUnavailable("locked"), 503, "busy"),
    ],
)
def test_every_trouble_is_a_page_with_a_way_on(error: Exception, status: int, name: str) -> None:
    answer = pays(a_shop(failing={"renew_by_link": error}).client())

    assert answer.status_code == status
    assert f'data-problem="{name}"' in answer.text
    assert f'href="{PAGE}"' in answer.text
    assert ("Retry-After" in answer.headers) is (status == 503)
    for secret in (str(error), "Traceback"):
        assert secret not in answer.text


def test_after_a_silent_provider_the_same_order_can_be_sent_again_with_one_tap() -> None:
    shop = a_shop(receipts=True, failing={"renew_by_link": ProviderUnavailable("silent")})
    client = shop.client()
    page = pays(client, "quarter", email=HERS).text

    form = page[page.index("<form") : page.index("</form>")]
    assert f'action="{PAYMENTS}"' in form
    sent = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
    assert sent == {"plan": "quarter", "email": HERS}
    shop.failing.clear()
    assert client.post(PAYMENTS, data=sent, headers=browser()).status_code == 303


@pytest.mark.parametrize("plan", ["gold", "", "trial"])
def test_a_plan_that_is_not_on_sale_is_told_kindly(plan: str) -> None:
    shop = a_shop()
    answer = pays(shop.client(), plan)

    assert (answer.status_code, 'data-problem="unknown-plan"' in answer.text) == (404, True)
    assert not shop.payments


def test_a_reload_of_the_forms_answer_leads_back_to_the_page() -> None:
    answer = a_shop().client().get(PAYMENTS, headers=browser())

    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)


# ── the receipt ──


def test_the_field_is_never_filled_with_the_customers_address() -> None:
    page = opened(a_shop(receipts=True, last_address=HERS))

    assert 'name="email"' in page
    assert 'value=""' in page
    assert HERS not in page
    assert 'name="email"' not in opened(a_shop())


def test_without_an_address_of_ones_own_nothing_is_bought_with_the_customers() -> None:
    shop = a_shop(receipts=True, last_address=HERS)
    client = shop.client()
    for typed in ("", "anna", '"><script>'):
        answer = pays(client, email=typed)
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text
        assert "<script>" not in answer.text
    assert not shop.payments
    assert pays(client, email="stranger@example.com").status_code == 303
    assert shop.receipts_to == ["stranger@example.com"]


def test_where_receipts_are_off_a_typed_address_is_dropped() -> None:
    shop = a_shop()
    pays(shop.client(), email=HERS)

    assert shop.receipts_to == [None]


# ── limits ──


def test_one_link_cannot_be_used_to_open_payments_without_end_and_another_one_does_not_suffer() -> None:
    shop = a_shop()
    client = shop.client()
    statuses = [pays(client).status_code for _ in range(11)]
    too_many = pays(client)

    assert statuses == [303] * 10 + [429]
    assert 'data-problem="too-many"' in too_many.text
    assert int(too_many.headers["Retry-After"]) >= 1
    assert client.get(PAGE, headers=browser()).status_code == 200
    # The customer in Telegram is counted alone.
    assert client.post("/app/payments", json={"plan": "month"}, headers=tma()).status_code == 201
    shop.subscription = replace(STATES["active"], id=SubscriptionId(UUID(int=6)))
    assert pays(client).status_code == 303


def test_a_hanging_provider_takes_the_places_of_mini_app_and_link_together() -> None:
    started, answer = Event(), Event()

    def hangs(token: str, plan_code: str, receipt_to: str | None) -> Payment:
        started.set()
        assert answer.wait(10)
        raise ProviderUnavailable("silent")

    shop = a_shop()
    client = shop.client(renew_by_link=hangs, payments_at_once=1)
    hanging = Thread(target=lambda: pays(client.application.test_client()))
    hanging.start()
    try:
        assert started.wait(10)
        in_the_mini_app = client.post("/app/payments", json={"plan": "month"}, headers=tma())
        by_the_link = pays(client)
    finally:
        answer.set()
        hanging.join()
    assert (in_the_mini_app.status_code, by_the_link.status_code) == (503, 503)
    assert client.post("/app/payments", json={"plan": "month"}, headers=tma()).status_code == 201


# ── no trace ──


@pytest.mark.parametrize("error", [None, ProviderUnavailable("silent"), RuntimeError("a bug")])
def test_neither_token_nor_address_is_in_any_log(error: Exception | None, caplog: pytest.LogCaptureFixture) -> None:
    shop = a_shop(receipts=True, failing={"renew_by_link": error} if error else {})
    client = shop.client()
    with capture_logs() as logs:
        opened(shop)
        answer = pays(client, email=HERS)
        client.get(answer.headers.get("Location", PAGE), headers=browser())
        client.get("/pay/return?payment=x")
    written = repr(logs) + caplog.text
    assert "/pay/return" in written
    for secret in (LINK_TOKEN, HERS):
        assert secret not in written


# ── the way back from the pay page ──


def test_the_browser_that_opened_the_payment_comes_back_to_it_from_the_provider() -> None:
    shop = a_shop(STATES["ended"])
    client = shop.client()
    renewed = pays(client)
    (id,) = shop.payments

    answer = client.get(f"/pay/return?payment={id}", headers=browser())

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PAYMENTS}/{id}")
    cookie = renewed.headers["Set-Cookie"]
    for part in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/pay/return"):
        assert part in cookie


@pytest.mark.parametrize("stage", list(PaymentStage))
def test_another_browser_sees_how_far_it_is_and_learns_no_link(stage: PaymentStage) -> None:
    shop = a_shop()
    pays(shop.client())
    (id,) = shop.payments
    shop.move(id, stage)

    page = shop.client().get(f"/pay/return?payment={id}", headers=browser())

    assert page.status_code == 200
    assert f'data-stage="{stage}"' in page.text
    for absent in (LINK_TOKEN, "/sub/", "Telegram", "chat"):
        assert absent not in page.text


def test_a_cookie_opens_nothing_but_the_payments_of_its_own_link() -> None:
    shop = a_shop()
    client = shop.client()
    pays(client)
    her_own = shop.stage(PaymentStage.WAITING)

    assert client.get(f"/pay/return?payment={her_own}").status_code == 200
    client.set_cookie("renewal", "//evil.test", path="/pay/return")
    (id, _) = shop.payments
    assert client.get(f"/pay/return?payment={id}").status_code == 200

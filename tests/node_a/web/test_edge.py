"""What holds for every answer: headers, errors without details, health, log lines without secrets."""

import base64
import hashlib
import re
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.node_a.web.shop import ANNA, LINK_TOKEN, FakeShop, init_data, tma

PATHS = ("/app", "/app/home", "/pay/return", "/healthz", "/readyz", "/sub/x", "/", "/nowhere", "/static/app.css")


def policy(header: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_a_strict_policy(path: str) -> None:
    with FakeShop().client().get(path) as answer:
        headers = answer.headers
    rules = policy(headers["Content-Security-Policy"])
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'self'"
    assert rules["base-uri"] == "'none'"
    assert "unsafe" not in str(rules)
    mini_app = path.startswith("/app")
    assert rules["frame-ancestors"] == ("'self' https://web.telegram.org" if mini_app else "'none'")
    empty_style = f"sha256-{base64.b64encode(hashlib.sha256(b'').digest()).decode()}"
    assert rules["style-src"] == (f"'self' '{empty_style}'" if mini_app else "'self'")
    assert rules["script-src"] == ("'self' https://telegram.org" if mini_app else "'self'")
    assert "X-Frame-Options" not in headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Strict-Transport-Security"].startswith("max-age=")


def test_without_https_there_is_no_promise_of_it_and_our_own_script_needs_no_foreign_origin(tmp_path: Any) -> None:
    client = FakeShop().client(public_url="http://127.0.0.1:8000", telegram_script_file=tmp_path / "script.js")
    headers = client.get("/app").headers
    assert "Strict-Transport-Security" not in headers
    assert policy(headers["Content-Security-Policy"])["script-src"] == "'self'"


def test_static_files_are_kept_for_ever_under_the_name_of_their_content_only() -> None:
    client = FakeShop().client()
    urls = re.findall(r'"(/static/[^"]+)"', client.get("/app").text)
    assert len(urls) == 2
    for url in urls:
        with client.get(url) as file:
            assert (file.status_code, "immutable" in file.headers["Cache-Control"]) == (200, True)
        for other in (url.split("?")[0], url + "x"):
            with client.get(other) as file:
                assert file.headers["Cache-Control"] == "no-cache"
    assert client.get("/static/../application.py").status_code == 404


@pytest.mark.parametrize("path", ["/app/home", "/pay/return", "/nowhere"])
def test_what_is_personal_or_wrong_is_kept_by_nobody(path: str) -> None:
    assert FakeShop().client().get(path, headers=tma()).headers["Cache-Control"] == "no-store"


def test_the_root_leads_to_the_bot() -> None:
    answer = FakeShop().client().get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://t.me/qent_bot")


def test_errors_are_pages_without_details() -> None:
    shop = FakeShop(failing={"show_payment": RuntimeError("secret detail")})
    client = shop.client()
    missing, wrong = client.get("/nowhere"), client.post("/pay/return")
    broken = client.get("/pay/return?payment=00000000-0000-0000-0000-000000000001", headers={"Accept-Language": "en"})
    assert (missing.status_code, wrong.status_code, broken.status_code) == (404, 405, 500)
    assert wrong.headers["Allow"]
    assert "on our side" in broken.text
    for answer in (missing, wrong, broken):
        assert answer.mimetype == "text/html"
        assert "https://t.me/qent_bot" in answer.text
        for detail in ("secret detail", "Traceback", "Werkzeug", "werkzeug"):
            assert detail not in answer.text


def test_health_needs_nothing_and_readiness_names_what_is_missing() -> None:
    shop = FakeShop()
    client = shop.client()
    assert client.get("/readyz").status_code == 200
    shop.missing = "migrations"
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "migrations" in ready.text


def test_each_request_is_one_line_with_its_rule_and_the_verified_customer() -> None:
    client = FakeShop().client()
    with capture_logs() as logs:
        client.get("/app/home?tgWebAppData=PLANTED", headers=tma())
        client.get("/app/payments/00000000-0000-0000-0000-000000000009", headers=tma())
        client.get("/pay/return?payment=PLANTED")
        client.get("/PLANTED")
        client.get("/app/home")
    lines = [line for line in logs if line["event"] == "request"]
    assert [(line["route"], line["status"], line.get("customer")) for line in lines] == [
        ("/app/home", 200, ANNA),
        ("/app/payments/<uuid:id>", 404, ANNA),
        ("/pay/return", 200, None),
        (None, 404, None),
        ("/app/home", 401, None),
    ]
    assert all(line["ms"] >= 0 and line["method"] == "GET" for line in lines)
    assert "PLANTED" not in repr(logs)
    assert init_data() not in repr(logs)


def test_apps_and_supervisors_leave_no_line() -> None:
    client = FakeShop().client()
    with capture_logs() as logs:
        client.get(f"/sub/{LINK_TOKEN}")
        client.get("/healthz")
    assert logs == []


def test_secrets_are_not_in_the_repr_of_what_the_edge_needs() -> None:
    assert "42:TEST" not in repr(FakeShop().web())

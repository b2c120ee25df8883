"""Nothing secret is left in a line, however it was written into it; nothing else is touched."""

import base64
import json
import logging
import string
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.logs.redaction import MASK, Redactor, mask

UUID = "7f0c9b9e-0e5a-4a51-9d5e-1c6d2f3a4b5c"
BOT_TOKEN = "5768337691:" + "AbCdEfGhIjKlMnOpQrStUvWxYz012345678"
INIT_DATA = (
    "query_id=AAHdF6IQAAAAAN0XohDhrOrc&user=%7B%22id%22%3A279058397%7D&auth_date=1662771648&hash=" + "c501b71e" * 8
)
SHADOWSOCKS_KEY = base64.b64encode(b"not a real key!!").decode()
SUBSCRIPTION_TOKEN = base64.urlsafe_b64encode(b"subscription uid" + b"sixteen of hmac.").decode().rstrip("=")
YOOKASSA_KEY = "live_" + "Fh8hUAVVBGUGbjmlzba6TB0iyUbos_lueTHE-axOwM0"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJxZW50In0.c2lnbmF0dXJlLW9mLW5vdGhpbmc"

# What must be gone → a text that holds it.
PLANTED = {
    "a bot token": (BOT_TOKEN, f"got {BOT_TOKEN} here"),
    "a bot token in a URL": (BOT_TOKEN, f"POST https://api.telegram.org/bot{BOT_TOKEN}/getMe"),
    "a short bot token in a URL": ("42:TEST", "GET http://127.0.0.1:8081/bot42:TEST/getUpdates"),
    "a bot token, encoded": (BOT_TOKEN[11:], f"url={urllib.parse.quote(BOT_TOKEN, safe='')}"),
    "a VLESS link": (UUID, f"send vless://{UUID}@node.example:2053?security=reality&sid=ab#DE to nobody"),
    "a VLESS link, encoded": (UUID, f"to=vless%3A%2F%2F{UUID}%40node.example%3A2053"),
    "a Shadowsocks link": ("MjAyMi1ibGFr", "ss://MjAyMi1ibGFrZTM@node.example:443#DE"),
    "links in lines": ("c2VjcmV0", f"vless://{UUID}@a:1\nss://c2VjcmV0@a:443"),
    "links in base64": (
        base64.b64encode(f"vless://{UUID}@a:1".encode()).decode()[12:],
        base64.b64encode(f"vless://{UUID}@a:1".encode()).decode(),
    ),
    "a subscription link": (SUBSCRIPTION_TOKEN, f"https://shop.example/sub/{SUBSCRIPTION_TOKEN}"),
    "a subscription link in an access log": (SUBSCRIPTION_TOKEN, f'"GET /sub/{SUBSCRIPTION_TOKEN} HTTP/1.1" 200 -'),
    "a subscription link, encoded": (SUBSCRIPTION_TOKEN, f"next=%2Fsub%2F{SUBSCRIPTION_TOKEN}"),
    "init data": ("c501b71e" * 8, INIT_DATA),
    "init data in a header": ("AAHdF6IQ", f"tma {INIT_DATA}"),
    "init data in a fragment": ("AAHdF6IQ", f"/app#tgWebAppData={urllib.parse.quote(INIT_DATA)}&tgWebAppVersion=9"),
    "init data, encoded": ("AAHdF6IQ", f"body={urllib.parse.quote(INIT_DATA, safe='')}"),
    "init data, decoded": ("c501b71e" * 8, urllib.parse.unquote(INIT_DATA)),
    "init data's hash in a dict": ("c501b71e" * 8, str({"auth_date": 1, "hash": "c501b71e" * 8})),
    "a header": ("abc.def-123", "Authorization: Bearer abc.def-123"),
    "a header in lower case": ("hunter2hunter", "authorization: hunter2hunter"),
    "a header in a dict": ("opaque-value", str({"AUTHORIZATION": "opaque-value", "Accept": "*/*"})),
    "a header in JSON": ("opaque-value", json.dumps({"Authorization": "opaque-value"})),
    "a header as a list": ("opaque-value", str([("Authorization", "opaque-value")])),
    "a header of several values": ("opaque-value", str({"Authorization": ["opaque-value"]})),
    "a header as bytes": ("opaque-value", str([(b"authorization", b"opaque-value")])),
    "a header as an object": ("opaque-value", json.dumps({"name": "Authorization", "value": "opaque-value"})),
    "a raw request": ("opaque-value", repr(b"GET / HTTP/1.1\r\nauthorization: opaque-value\r\nHost: a\r\n")),
    "basic authentication": ("MTIzNDU2", "sent Basic MTIzNDU2OnNlY3JldA== there"),
    "a bearer alone": ("abcdef0123456789", "using bearer abcdef0123456789"),
    "an e-mail address": ("anna.k+vpn", "Key (receipt_to)=(anna.k+vpn@mail.example.org) is too long"),
    "an e-mail address, encoded": ("example.org", "receipt_to=anna%40example.org&plan=month"),
    "YooKassa's key": (YOOKASSA_KEY[8:], f"Configuration({YOOKASSA_KEY})"),
    "YooKassa's test key": (YOOKASSA_KEY[8:], "key is test_" + YOOKASSA_KEY[5:]),
    "a cookie": ("0123abcd", "Cookie: theme=dark; session=0123abcd"),
    "a cookie that is set": ("0123abcd", "{'Set-Cookie': 'session=0123abcd; Path=/; HttpOnly'}"),
    "cookies in a dict": ("0123abcd", "cookies={'session': '0123abcd'}"),
    "a Shadowsocks key": (SHADOWSOCKS_KEY, f"user {SHADOWSOCKS_KEY} added"),
    "a Shadowsocks password": (SHADOWSOCKS_KEY, f"{SHADOWSOCKS_KEY}:{SHADOWSOCKS_KEY}"),
    "a Shadowsocks key, encoded": (urllib.parse.quote(SHADOWSOCKS_KEY), f"k={urllib.parse.quote(SHADOWSOCKS_KEY)}"),
    "a password in a URL": ("correct-horse", "postgresql+psycopg://qent:correct-horse@db:5432/qent"),
    "a password with @ in a URL": ("horse@battery", "socks5://user:horse@battery@proxy.example:1080"),
    "a password in a form": ("correct", "grant_type=password&username=bob&password=correct%26horse&scope="),
    "a password in JSON in JSON": ("horse", json.dumps(json.dumps({"password": 'correct "horse"', "n": 1}))),
    "a password in an encoded form": ("correct", urllib.parse.quote(json.dumps({"password": "correct"}))),
    "a number as a password": ("12345678", json.dumps({"password": 12345678})),
    "tokens in a list": ("second", str({"tokens": ["first", "second"]})),
    "a variable": ("0123456789abcdef", "NODES__DE1__AGENT_TOKEN=0123456789abcdef"),
    "a secret of a ring": ("0123456789abcdef", "KEY_SECRETS__1=0123456789abcdef"),
    "a private key": ("MIIEvQIBADAN", "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----"),
    "Reality's private key": ("WGSxBnpFvK0", "PrivateKey: WGSxBnpFvK0-abc"),
    "a JSON web token": (JWT[20:], f"panel said {JWT}"),
    "a user's id for VLESS": (UUID, json.dumps({"proxies": {"vless": {"id": UUID, "flow": "xtls-rprx-vision"}}})),
}

REDACT = Redactor()


def _wrapped(text: str) -> list[str]:
    """The ways in which a text comes into a line."""
    inner = json.dumps({"event": text}, ensure_ascii=False)
    return [
        text,
        f"before {text}",
        inner,
        json.dumps({"event": text, "level": "info"}),
        json.dumps({"body": inner}, ensure_ascii=False),
        json.dumps({"exception": f'Traceback …\n  File "a.py"\nValueError: {text}\n'}),
        json.dumps({"event": repr(text)}, ensure_ascii=False),
        json.dumps({"args": repr((text, 1))}),
        json.dumps({"event": "x\n" + text}),
    ]


@pytest.mark.parametrize("kind", PLANTED)
def test_a_secret_is_not_left_in_a_line(kind: str) -> None:
    secret, text = PLANTED[kind]
    assert secret in text

    for line in _wrapped(text):
        redacted = REDACT(line)
        assert secret not in redacted, redacted
        assert MASK in redacted
        assert REDACT(redacted) == redacted


@pytest.mark.parametrize("kind", PLANTED)
def test_a_line_of_json_stays_json(kind: str) -> None:
    for line in _wrapped(PLANTED[kind][1]):
        try:
            json.loads(line)
        except ValueError:
            continue
        json.loads(REDACT(line))


@pytest.mark.parametrize(
    "line",
    [
        f'{{"level": "info", "id": "ab12cd34", "event": "settled", "payment": "{UUID}", "customer": 279058397}}',
        '{"event": "wrong password", "level": "warning"}',
        '{"event": "no token:", "level": "warning"}',
        '{"event": "Authorization is missing", "status": 401}',
        '{"password": null, "token": true}',
        f"Idempotence-Key: {UUID}",
        str({"Idempotence-Key": UUID}),
        f"idempotence_key={UUID} amount=149.00 RUB",
        "GET https://api.yookassa.ru/v3/payments 200 12:30:45",
        "HTTP Request: GET https://de1.example:8443/api/user/qent_42 'HTTP/1.1 200 OK'",
        "wss://example/socket and https://example/?a=b&c=d@e",
        "tests/node_a/test_checkout.py::test_a_payment_is_opened PASSED",
        "latest_applied_revision_2_of_the_node",
        "Basic realm and basic configuration of the bearer",
        "  File \"marzban.py\", line 12, in _token\n    raise NodeUnavailable(f'{error}')",
        "ключи готовы: 2 сервера, до 31.12.2026",
        "commit 0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_an_ordinary_line_is_unharmed(line: str) -> None:
    assert REDACT(line) == line


LITERALS = st.text(alphabet=string.ascii_letters + string.digits + "/+=&%$\"'\\ ъ…@:", min_size=8, max_size=40).filter(
    lambda secret: secret.strip() == secret and len(set(secret)) > 4 and secret[3:] not in MASK
)


@given(secret=LITERALS, prefix=st.text(max_size=20), suffix=st.text(max_size=20))
def test_a_registered_secret_is_found_in_every_spelling(secret: str, prefix: str, suffix: str) -> None:
    redact = Redactor([secret])
    encoded = base64.b64encode(f"shop:{secret}".encode()).decode()
    for spelling in [
        secret,
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(json.dumps(secret))[3:-3],
        repr(secret)[1:-1],
    ]:
        redacted = redact(f"{prefix} {spelling} {suffix}")
        assert f" {spelling} " not in redacted
    # The inner characters, which depend on the secret alone.
    assert encoded[8:-6] not in redact(f"{prefix} {encoded} {suffix}")


@given(st.text(max_size=400))
def test_redaction_never_fails_and_is_done_once(line: str) -> None:
    once = REDACT(line)
    assert REDACT(once) == once


@given(
    st.lists(st.sampled_from([text for _, text in PLANTED.values()]), min_size=1, max_size=4),
    st.sampled_from([" ", ", ", "\n", "; ", " | ", "\\n"]),
)
def test_several_secrets_side_by_side_are_all_found(texts: list[str], between: str) -> None:
    redacted = REDACT(between.join(texts))

    assert REDACT(redacted) == redacted
    for secret, text in PLANTED.values():
        if text in texts:
            assert secret not in redacted


def test_a_short_literal_is_not_registered() -> None:
    assert Redactor(["info", "", "de1"])("info about de1") == "info about de1"


def test_a_mask_shows_three_characters_at_most() -> None:
    assert mask("sk_0123456789") == "sk_…****"
    assert mask("abc") == "…****"
    assert mask(mask("sk_0123456789")) == mask("sk_0123456789")
    assert mask('a\\"bcdef') == "a…****"


def test_something_that_is_no_text_is_left_out() -> None:
    assert "could not be redacted" in REDACT(logging)  # type: ignore[arg-type]

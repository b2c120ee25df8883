"""Settings: complete or refused, each problem by name, and nothing secret said."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from node_a.settings import NodeSettings, Settings, explain, read_settings
from shared.environment import ConfigurationProblems

EXAMPLE = Path(__file__).parents[2] / ".env.example"

# A certificate made for this test; its private key is lost.
CERTIFICATE = (
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJkekNDQVIyZ0F3SUJBZ0lVVHptWmo3ajRZS3RTYXUyUUtkejEzdDRQK0RJ"
    "d0NnWUlLb1pJemowRUF3SXcKRVRFUE1BMEdBMVVFQXd3R2JtOWtaUzFpTUI0WERUSTJNVEV5TWpFMU5EWXpPRm9YRFRNMk1URXhP"
    "VEUxTkRZegpPRm93RVRFUE1BMEdBMVVFQXd3R2JtOWtaUzFpTUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFClFN"
    "ckVVWFdVR0ZLZHR2OE5lYm5aYmRHRHJodXFGWitPVkVwVVVNVGp5TitMTWZGVnM4VnB6L2RzaklLdzVMNEkKUmVwQ011emRZZWsv"
    "ZWd2UjB0MnRuYU5UTUZFd0hRWURWUjBPQkJZRUZGZ0ZRWnhBWFphZElQTGFMRld3WlU1NQp5UUxTTUI4R0ExVWRJd1FZTUJhQUZG"
    "Z0ZRWnhBWFphZElQTGFMRld3WlU1NXlRTFNNQThHQTFVZEV3RUIvd1FGCk1BTUJBZjh3Q2dZSUtvWkl6ajBFQXdJRFNBQXdSUUln"
    "TVA1ZjZuQ3MyR3ZvNkx5ZndzUEJSNG05UStBQkZ4d0MKRTNNUVdJSjF0OUVDSVFEcnFjMzFrMEgwdWNiVDZaZHBoM2pIQzJuQ2tI"
    "T1BTbFNRWVlUclRFVFdjQT09Ci0tLS0tRU5EIENFUlRJRklDQVRFLS0tLS0K"
)
NODE = {
    "NAME_RU": "🇩🇪 Германия 1",
    "NAME_EN": "🇩🇪 Germany 1",
    "HOST": "de1.qent.test",
    "URL": "https://de1.qent.test:8443",
    "CERTIFICATE": CERTIFICATE,
    "PANEL_USERNAME": "qent",
    "PANEL_PASSWORD": "12345678901234567890",
    "AGENT_TOKEN": "not-a-real-agent-token",
    "REALITY_PUBLIC_KEY": "A" * 43,
    "REALITY_SHORT_ID": "0123abcd",
    "REALITY_SERVER_NAME": "www.borrowed.test",
    "SHADOWSOCKS_SERVER_KEY": "bm90IGEgcmVhbCBrZXkhIQ==",
}
REQUIRED = {
    "TELEGRAM_BOT_TOKEN": "42:not-a-real-bot-token",
    "TELEGRAM_BOT_USERNAME": "qent_test_bot",
    "SUPPORT_CONTACT": "@qent_support",
    "PUBLIC_URL": "https://qent.test/",
    "YOOKASSA_SHOP_ID": "54321",
    "YOOKASSA_SECRET_KEY": "not-a-real-secret-key",
    "KEY_SECRETS__1": "1" * 32,
    **{f"NODES__DE1__{name}": value for name, value in NODE.items()},
}


def problems(environment: dict[str, str], dotenv: Path | None = None) -> list[str]:
    with pytest.raises(ConfigurationProblems) as caught:
        read_settings(environment, dotenv)
    return caught.value.problems


def test_the_required_settings_are_enough() -> None:
    settings = read_settings(REQUIRED, None)

    assert settings.database_url.get_secret_value() == "sqlite:///var/node_a.db"
    assert settings.public_url == "https://qent.test"
    assert settings.key_secrets == {1: SecretStr("1" * 32)}
    assert (settings.receipts, settings.receipt_vat_code, settings.receipt_tax_system) == (False, 1, None)
    assert (settings.trial_days, settings.trial_traffic_gb, settings.trials_per_day) == (0, None, 50)
    node = settings.nodes["de1"]
    assert (node.state, node.reality_fingerprint, node.name_ru) == ("active", "chrome", "🇩🇪 Германия 1")
    assert node.outline_port is None
    assert node.panel_password.get_secret_value() == "12345678901234567890"
    assert node.certificate is not None
    assert node.certificate.startswith("-----BEGIN CERTIFICATE-----")


def test_everything_can_be_set() -> None:
    settings = read_settings(
        REQUIRED
        | {
            "OPERATORS": "1, 9007199254740993",
            "FRAME_ANCESTORS": "https://web.telegram.org http://127.0.0.1:8001",
            "YOOKASSA_WEBHOOK_NETWORKS": "185.71.76.0/27,2a02:5180::/32",
            "YOOKASSA_TEST_SHOP": "true",
            "RECEIPTS": "true",
            "RECEIPT_VAT_CODE": "11",
            "RECEIPT_TAX_SYSTEM": "2",
            "TRIAL_DAYS": "3",
            "TRIAL_TRAFFIC_GB": "10",
            "TRIALS_PER_DAY": "7",
            "LOG_LEVEL": "debug",
            "KEY_SECRETS__10": "x" * 32,
            "TELEGRAM_ROUTES": "Direct, node:NL2 socks5://user:not-a-password@proxy.test:1080,"
            "http://user:not%2Ca%40word@127.0.0.1:3128,https://mirror.test/tg/",
            "DATABASE_URL": "postgresql+psycopg://qent:not-a-password-either@db/qent",
            "NODES__NL2__STATE": "Draining",
            "NODES__NL2__OUTLINE_PORT": "8388",
            **{f"NODES__NL2__{name}": value for name, value in NODE.items()},
        },
        None,
    )

    assert settings.operators == {1, 9007199254740993}
    assert settings.frame_ancestors == ("https://web.telegram.org", "http://127.0.0.1:8001")
    assert [str(network) for network in settings.yookassa_webhook_networks or ()] == [
        "185.71.76.0/27",
        "2a02:5180::/32",
    ]
    assert settings.yookassa_test_shop is True
    assert (settings.receipts, settings.receipt_vat_code, settings.receipt_tax_system) == (True, 11, 2)
    assert (settings.trial_days, settings.trial_traffic_gb, settings.trials_per_day) == (3, 10, 7)
    assert settings.log_level == "DEBUG"
    assert settings.key_secrets == {1: SecretStr("1" * 32), 10: SecretStr("x" * 32)}
    assert set(settings.nodes) == {"de1", "nl2"}
    assert settings.nodes["nl2"].state == "draining"
    assert (settings.nodes["nl2"].outline_port, settings.nodes["de1"].outline_port) == (8388, None)
    assert [route.get_secret_value() for route in settings.telegram_routes] == [
        "direct",
        "node:nl2",
        "socks5://user:not-a-password@proxy.test:1080",
        "http://user:not%2Ca%40word@127.0.0.1:3128",
        "https://mirror.test/tg/",
    ]
    assert {"not%2Ca%40word", "not,a@word"} <= settings.secrets(), "as it is written, and as the proxy is told it"
    assert {"not-a-password", "not-a-password-either", "x" * 32, "not-a-real-agent-token"} <= settings.secrets()
    assert not any("://" in secret for secret in settings.secrets())


def test_no_way_to_telegram_is_a_problem() -> None:
    (problem,) = problems(REQUIRED | {"TELEGRAM_ROUTES": ","})

    assert problem.startswith("TELEGRAM_ROUTES names no way: ")


def test_a_way_over_an_unknown_node_is_named() -> None:
    (problem,) = problems(REQUIRED | {"TELEGRAM_ROUTES": "direct,node:fr9"})

    assert problem.startswith("TELEGRAM_ROUTES names a node that has no NODES__FR9__… block: ")


def test_a_node_that_is_wrong_itself_is_the_only_problem() -> None:
    (problem,) = problems(REQUIRED | {"TELEGRAM_ROUTES": "node:de1", "NODES__DE1__URL": "http://v4lue.test"})

    assert problem.startswith("NODES__DE1__URL ")


@pytest.mark.parametrize("name", [name for name in REQUIRED if name != "NODES__DE1__CERTIFICATE"])
def test_a_missing_setting_is_one_line_with_its_name(name: str) -> None:
    given = {other: value for other, value in REQUIRED.items() if other != name}

    (problem,) = problems(given)

    expected = "KEY_SECRETS" if name == "KEY_SECRETS__1" else name
    assert problem.startswith(f"{expected} is not set: ")
    assert problems(given | {name: "  "}) == [problem], "an empty value is not given"


def test_without_anything_every_required_setting_is_named_once() -> None:
    named = [problem.split()[0] for problem in problems({})]

    assert sorted(named) == sorted({name.split("__")[0] for name in REQUIRED})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://root:v4lue@localhost/x"),
        ("DATABASE_URL", "postgresql://qent:v4lue@db/qent"),
        ("LOG_FORMAT", "v4lue"),
        ("LOG_LEVEL", "v4lue"),
        ("TELEGRAM_BOT_TOKEN", "v4lue"),
        ("TELEGRAM_BOT_USERNAME", "@v4lue_bot"),
        ("TELEGRAM_API_URL", "http://v4lue.test"),
        *(
            ("TELEGRAM_ROUTES", text)
            for text in (
                "v4lue",
                "direct,v4lue",
                "node:v4lue",
                "direct,direct",
                "node:de1,NODE:DE1",
                "socks5://v4lue",
                "socks5://v4lue:port",
                "socks4://v4lue:1080",
                "http://v4lue",
                "http://user:v4lue@",
                "http://proxy.test:3128/v4lue",
                "https://user:v4lue@mirror.test",
                "https://mirror.test?v4lue",
            )
        ),
        ("OPERATORS", "1,v4lue"),
        ("OPERATORS", "9223372036854775808"),
        ("OPERATORS", "-1"),
        ("DEFAULT_LANGUAGE", "v4lue"),
        ("PUBLIC_URL", "http://v4lue.test"),
        ("PUBLIC_URL", "https://user:v4lue@qent.test"),
        ("PUBLIC_URL", "https://qent.test:v4lue"),
        ("PUBLIC_URL", "v4lue.test"),
        ("WEB_PORT", "v4lue"),
        ("WEB_PORT", "65536"),
        ("WEB_HOST", "http://v4lue"),
        ("TRUSTED_PROXIES", "-1"),
        ("FRAME_ANCESTORS", "https://v4lue.test/path"),
        ("FRAME_ANCESTORS", "https://v4lue.test;script-src"),
        ("INIT_DATA_MAX_AGE_SECONDS", "59.5"),
        ("YOOKASSA_TEST_SHOP", "v4lue"),
        ("YOOKASSA_WEBHOOK_NETWORKS", "185.71.76.1/27"),
        ("RECEIPTS", "v4lue"),
        ("RECEIPT_VAT_CODE", "13"),
        ("RECEIPT_TAX_SYSTEM", "7"),
        ("TRIAL_DAYS", "-1"),
        ("TRIAL_DAYS", "v4lue"),
        ("TRIAL_TRAFFIC_GB", "0"),
        ("TRIALS_PER_DAY", "0"),
        ("KEY_SECRETS__1", "v4lue"),
        ("KEY_SECRETS__0", "v4lue" * 8),
        ("NODES__DE1__STATE", "v4lue"),
        ("NODES__DE1__URL", "http://v4lue.test:8443"),
        ("NODES__DE1__URL", "http://[::2]:8443"),
        ("NODES__DE1__HOST", "https://v4lue"),
        ("NODES__DE1__CERTIFICATE", "v4lue"),
        ("NODES__DE1__CERTIFICATE", CERTIFICATE[:400]),
        ("NODES__DE1__REALITY_PUBLIC_KEY", "v4lue="),
        ("NODES__DE1__REALITY_SHORT_ID", "abc"),
        ("NODES__DE1__REALITY_SHORT_ID", "0123456789abcdef01"),
        ("NODES__DE1__SHADOWSOCKS_SERVER_KEY", "djRsdWU="),
        ("NODES__DE1__SHADOWSOCKS_SERVER_KEY", "djRsdWUtdjRsdWUtdjRsdQ"),
        ("NODES__DE1__OUTLINE_PORT", "v4lue"),
        ("NODES__DE1__OUTLINE_PORT", "65536"),
        ("NODES__DE1__OUTLINE_PORT", "443"),
        ("NODES__DE1__OUTLINE_PORT", "2053"),
        ("NODES__DE1__OUTLINE_PORT", "8443"),
    ],
)
def test_a_bad_value_is_refused_by_name_and_not_repeated(name: str, value: str) -> None:
    (problem,) = problems(REQUIRED | {name: value})

    assert problem.startswith(f"{name} ")
    assert value not in problem
    assert "v4lue" not in problem
    assert "\n" not in problem


def test_a_node_with_a_bad_code_is_refused_by_name() -> None:
    bad = {f"NODES__1DE__{name}": value for name, value in NODE.items()}

    (problem,) = problems(REQUIRED | bad)

    assert problem.startswith("NODES__1DE ")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8443", "http://[::1]:8443", "http://localhost:1", "http://127.9.8.7"]
)
def test_on_loopback_a_node_may_speak_http_without_a_certificate(url: str) -> None:
    settings = read_settings(REQUIRED | {"NODES__DE1__URL": url, "NODES__DE1__CERTIFICATE": ""}, None)

    assert settings.nodes["de1"].url == url
    assert settings.nodes["de1"].certificate is None


def test_https_to_a_node_needs_its_certificate() -> None:
    (problem,) = problems(REQUIRED | {"NODES__DE1__CERTIFICATE": ""})

    assert problem.startswith("NODES__DE1__CERTIFICATE is not set")


@pytest.mark.parametrize("value", ["change-me", "CHANGEME-now", "<your token>", "https://shop.example.org", "example"])
def test_a_placeholder_is_refused_by_name(value: str) -> None:
    for name in ("SHOP_NAME", "YOOKASSA_SECRET_KEY", "NODES__DE1__AGENT_TOKEN"):
        (problem,) = problems(REQUIRED | {name: value})
        assert problem.startswith(f"{name} still holds the placeholder")


def test_the_file_is_read_and_the_environment_goes_before_it(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    lines = [f"{name}={value}" for name, value in REQUIRED.items()]
    dotenv.write_text("\n".join([*lines, "SHOP_NAME='A $HOME # shop'", "WEB_PORT=1"]), encoding="utf-8")

    settings = read_settings({"WEB_PORT": "2", "WEB_HOST": "", "UNRELATED": "x"}, dotenv)

    assert (settings.shop_name, settings.web_port, settings.web_host) == ("A $HOME # shop", 2, "127.0.0.1")


def test_a_misspelt_name_in_the_file_is_a_problem_and_in_the_environment_is_not(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("WEB_PROT=1\nweb_port=2\nNODES__DE1__HSOT=a\nPLANS=x\n", encoding="utf-8")

    named = [problem.split()[0] for problem in problems(REQUIRED, dotenv)]

    assert sorted(named) == ["NODES__DE1__HSOT", "PLANS", "WEB_PROT", "web_port"]
    read_settings(REQUIRED | {"WEB_PROT": "1", "SSL_CERT_FILE": "/nowhere"}, None)


@pytest.mark.parametrize("name", ["NODES__DE1__HSOT", "NODES__DE1", "NODES__DE1__URL__X", "NODES____URL"])
def test_a_misspelt_name_below_nodes_is_a_problem_everywhere(name: str) -> None:
    (problem,) = problems(REQUIRED | {name: "x"})

    assert problem.startswith(f"{name} is not a setting")


@pytest.mark.parametrize(
    "name",
    ["TELEGRAM_BOT_TOKEN", "YOOKASSA_SECRET_KEY", "KEY_SECRETS__1", "DATABASE_URL", "TELEGRAM_ROUTES"]
    + [f"NODES__DE1__{name}" for name in ("PANEL_PASSWORD", "AGENT_TOKEN", "SHADOWSOCKS_SERVER_KEY")],
)
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    value = REQUIRED.get(name, "sqlite:////srv/a.db" if name == "DATABASE_URL" else "http://user:pass@127.0.0.1:1")
    (tmp_path / "secret").write_text(value + "\n", encoding="utf-8")
    others = {other: text for other, text in REQUIRED.items() if other != name}

    settings = read_settings(others | {f"{name}_FILE": str(tmp_path / "secret")}, None)

    assert settings == read_settings(REQUIRED | {name: value}, None)
    assert problems(REQUIRED | {name: value, f"{name}_FILE": str(tmp_path / "secret")}) == [
        f"{name} and {name}_FILE are both given: remove one of them"
    ]
    (problem,) = problems(others | {f"{name}_FILE": str(tmp_path / "absent")})
    assert problem.startswith(f"{name}_FILE names a file that cannot be read")


def test_one_file_that_cannot_be_read_does_not_make_the_others_missing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not-a-real-secret-key", encoding="utf-8")
    others = {
        name: value for name, value in REQUIRED.items() if name not in {"YOOKASSA_SECRET_KEY", "TELEGRAM_BOT_TOKEN"}
    }
    files = {"YOOKASSA_SECRET_KEY_FILE": str(tmp_path / "secret"), "TELEGRAM_BOT_TOKEN_FILE": str(tmp_path / "absent")}

    (problem,) = problems(others | files)

    assert problem.startswith("TELEGRAM_BOT_TOKEN_FILE ")


def test_the_environments_file_goes_before_the_files_value(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from-the-secret-file", encoding="utf-8")
    dotenv = tmp_path / ".env"
    dotenv.write_text("YOOKASSA_SECRET_KEY=from-dotenv", encoding="utf-8")
    others = {name: value for name, value in REQUIRED.items() if name != "YOOKASSA_SECRET_KEY"}

    settings = read_settings(others | {"YOOKASSA_SECRET_KEY_FILE": str(tmp_path / "secret")}, dotenv)

    assert settings.yookassa_secret_key.get_secret_value() == "from-the-secret-file"


def test_neither_repr_nor_a_dump_shows_a_secret() -> None:
    settings = read_settings(REQUIRED | {"DATABASE_URL": "postgresql+psycopg://qent:s3cret-word@db/qent"}, None)

    assert len(settings.secrets()) == 7
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.nodes)):
        assert not [secret for secret in settings.secrets() if secret in shown]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read_settings(REQUIRED, None).web_port = 1


@given(st.dictionaries(st.sampled_from(sorted(REQUIRED)), st.text(min_size=4), min_size=1))
def test_whatever_is_given_the_answer_is_settings_or_names(values: dict[str, str]) -> None:
    try:
        read_settings(REQUIRED | values, None)
    except ConfigurationProblems as error:
        for problem in error.problems:
            assert re.match(r"[A-Z][A-Z0-9_]+ ", problem)
            assert len(problem.splitlines()) == 1


def test_the_explanation_has_a_line_per_problem_and_the_way_out() -> None:
    text = explain(ConfigurationProblems(["A is not set: a", "B is not set: b"]))

    assert "  - A is not set: a\n  - B is not set: b\n" in text
    assert ".env.example" in text


ASSIGNMENT = re.compile(r"^(?P<off># )?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)


def example() -> list[tuple[str, str, bool]]:
    """Name, value and whether the line is in force, of every setting in the example file."""
    found = ASSIGNMENT.finditer(EXAMPLE.read_text(encoding="utf-8"))
    return [(match["name"], match["value"], not match["off"]) for match in found]


def test_the_example_file_holds_every_setting_once_and_nothing_else() -> None:
    names = [name for name, _, _ in example()]
    top = set(Settings.model_fields) - {"nodes", "key_secrets"}

    assert sorted(names) == sorted(
        [name.upper() for name in top]
        + ["KEY_SECRETS__1"]
        + [f"NODES__DE1__{name.upper()}" for name in NodeSettings.model_fields]
    )


def test_the_example_files_defaults_are_the_defaults() -> None:
    shown = {name: value for name, value, in_force in example() if not in_force}
    # Those that show a form, because the default is "none".
    forms = {
        "OPERATORS",
        "TELEGRAM_SCRIPT_FILE",
        "YOOKASSA_WEBHOOK_NETWORKS",
        "RECEIPT_TAX_SYSTEM",
        "TRIAL_TRAFFIC_GB",
        "NODES__DE1__OUTLINE_PORT",
    }

    with_shown = read_settings(REQUIRED | {name: value for name, value in shown.items() if name not in forms}, None)

    assert with_shown == read_settings(REQUIRED, None)
    read_settings(REQUIRED | shown, None)


def test_the_unfilled_example_file_is_refused_placeholder_by_placeholder() -> None:
    in_force = {name for name, _, yes in example() if yes}

    named = [problem.split()[0] for problem in problems({}, EXAMPLE)]

    assert in_force == set(REQUIRED)
    assert sorted(named) == sorted(in_force)


def test_the_filled_example_file_is_valid(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for name, value in REQUIRED.items():
        text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text, encoding="utf-8")

    assert read_settings({}, tmp_path / ".env") == read_settings(REQUIRED, None)

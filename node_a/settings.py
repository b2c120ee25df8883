"""The settings: one frozen object, read once from the environment and `.env`, handed down in pieces.

Longer than most files because it is a list: every setting with its rule, in the order of `.env.example`. The
description of a field is the remedy an operator reads when it is missing or wrong.
"""

import base64
import binascii
import ipaddress
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from shared.environment import ConfigurationProblems, given, is_placeholder, read_dotenv, resolve_files
from shared.inbounds import PROXY_PORT, SHADOWSOCKS_KEY_BYTES, SHADOWSOCKS_PORT, VLESS_PORT

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LARGEST_ID: Final = 2**63 - 1  # Telegram promises fewer than 64 bits
_SHORTEST_KEY_SECRET: Final = 32
_LOOPBACK_NAMES: Final = {"localhost", "::1"}
_NESTED: Final = "__"
_TAKEN_PORTS: Final = (SHADOWSOCKS_PORT, VLESS_PORT, PROXY_PORT)


def _is_loopback(host: str) -> bool:
    try:
        return host in _LOOPBACK_NAMES or ipaddress.ip_address(host) in ipaddress.ip_network("127.0.0.0/8")
    except (ValueError, TypeError):
        return False


def _matches(pattern: str, say: str) -> AfterValidator:
    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(say)
        return value

    return AfterValidator(check)


def _secret_matches(pattern: str, say: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        if not re.fullmatch(pattern, value.get_secret_value()):
            raise ValueError(say)
        return value

    return AfterValidator(check)


def _https(value: str) -> str:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must be an address such as https://HOST:PORT") from error
    if not host or parts.query or parts.fragment or "@" in parts.netloc or re.search(r"\s", value):
        raise ValueError("must be an address such as https://HOST:PORT, without user, query or fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("must begin with https:// (http:// is allowed on this machine's loopback only)")
    return value.rstrip("/")


def _telegram_route(value: SecretStr) -> SecretStr:
    """`direct` and `node:CODE` in lower case; an address as it is."""
    text = value.get_secret_value()
    if re.fullmatch(r"direct|node:\w+", text, re.IGNORECASE):
        return SecretStr(text.lower())
    if text.startswith("https://"):
        _https(text)
        return value
    say = "must be, with commas between: direct, node:CODE, socks5://… and http://… with a port, https://…"
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"socks5", "http"} and parts.hostname and parts.port and parts.path in {"", "/"}
    except ValueError as error:
        raise ValueError(say) from error
    if not usable or parts.query or parts.fragment:
        raise ValueError(say)
    return value


def _database(value: SecretStr) -> SecretStr:
    if not re.match(r"(sqlite:///|postgresql\+psycopg://[^/])\S+$", value.get_secret_value()):
        raise ValueError("must be sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    return value


def _pem(value: str) -> str:
    """The certificate as PEM; given as base64 of it, because a variable is one line."""
    if not value.startswith("-----BEGIN"):
        try:
            value = base64.b64decode("".join(value.split()), validate=True).decode("ascii")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ValueError("must be the certificate's PEM file in base64, on one line") from error
    try:
        # The same call that will pin it, so that half a certificate is found now and not at the first connection.
        ssl.create_default_context(cadata=value)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError("does not hold a PEM certificate once decoded") from error
    return value


def _shadowsocks_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != SHADOWSOCKS_KEY_BYTES or base64.b64encode(raw).decode() != text:
        raise ValueError(f"must be padded standard base64 of exactly {SHADOWSOCKS_KEY_BYTES} bytes")
    return value


def _own_port(value: int) -> int:
    if value in _TAKEN_PORTS:
        raise ValueError("must be a port of its own: those of VLESS, Shadowsocks and the node's proxy are taken")
    return value


def _listed(value: object) -> object:
    return [item for item in re.split(r"[,\s]+", value) if item] if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_Https = Annotated[str, AfterValidator(_https)]
_TelegramRoute = Annotated[SecretStr, AfterValidator(_telegram_route)]
_Word = Annotated[str, Field(min_length=1), _matches(r"\S+", "must not contain blanks")]
_Host = Annotated[str, _matches(r"[A-Za-z0-9.:-]+", "must be a host name or address, without scheme or port")]
_Origin = Annotated[str, _matches(r"https?://[^\s/;,'\"]+", "must be origins such as https://HOST, without a path")]
_Secret = Annotated[SecretStr, _secret_matches(r"\S.*", "must not be empty")]
_UserId = Annotated[int, Field(gt=0, le=_LARGEST_ID)]
_KeySecret = Annotated[
    SecretStr, _secret_matches(f".{{{_SHORTEST_KEY_SECRET},}}", f"must have {_SHORTEST_KEY_SECRET} characters or more")
]


class NodeSettings(BaseModel):
    """One Node B, as `NODES__CODE__…`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    state: Annotated[Literal["active", "draining", "retired"], BeforeValidator(_lower)] = Field(
        "active",
        description="active, draining (its keys stay and are shown last) or retired (its keys are removed)",
    )
    name_ru: str = Field(min_length=1, description="what Russian customers see, such as 🇩🇪 Германия 1")
    name_en: str = Field(min_length=1, description="what English customers see, such as 🇩🇪 Germany 1")
    host: _Host = Field(description="the public address that stands in keys")
    url: _Https = Field(description="where the node's proxy listens, https://HOST:8443")
    # After `url`, which its rule looks at.
    certificate: Annotated[str, AfterValidator(_pem)] | None = Field(
        None, validate_default=True, description="the node's certificate in base64; deploy_node_b.sh prints it"
    )
    probe: bool = Field(
        True, description="whether Node A tries the customers' ports at `host` itself: true, or false where it cannot"
    )
    panel_username: _Word = Field(description="the panel's administrator; deploy_node_b.sh prints it")
    panel_password: _Secret = Field(description="the panel's password; deploy_node_b.sh prints it")
    agent_token: _Secret = Field(description="the agent's token; deploy_node_b.sh prints it")
    reality_public_key: Annotated[str, _matches(r"[A-Za-z0-9_-]{43}", "must be 43 characters of base64url")] = Field(
        description="Reality's public key; deploy_node_b.sh prints it"
    )
    reality_short_id: Annotated[
        str, _matches(r"(?:[0-9a-f]{2}){1,8}", "must be 2 to 16 hexadecimal digits, an even number of them")
    ] = Field(description="Reality's short id; deploy_node_b.sh prints it")
    reality_server_name: _Host = Field(description="the site Reality borrows; deploy_node_b.sh prints it")
    reality_fingerprint: _Word = Field("chrome", description="the browser that customers' apps imitate")
    shadowsocks_server_key: Annotated[SecretStr, AfterValidator(_shadowsocks_key)] = Field(
        description="Shadowsocks' server key; deploy_node_b.sh prints it"
    )
    outline_port: Annotated[int, Field(ge=1, le=65535), AfterValidator(_own_port)] | None = Field(
        None, description="the port for Outline's client, if the node has one; deploy_node_b.sh prints it"
    )

    @field_validator("certificate")
    @classmethod
    def _certificate_for_https(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and str(info.data.get("url", "")).startswith("https:"):
            raise ValueError("is not set, and Node A trusts exactly this certificate and no authority")
        return value


_NodeCode = Annotated[
    str, _matches(r"[a-z][a-z0-9]{1,15}", "a node's code is a letter, then 1 to 15 letters or digits")
]


class Settings(BaseSettings):
    """Everything an operator can set. Made by `read_settings`; by itself it reads nothing."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_nested_delimiter=_NESTED, hide_input_in_errors=True
    )

    database_url: Annotated[SecretStr, AfterValidator(_database)] = Field(
        SecretStr("sqlite:///var/node_a.db"),
        description="sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME",
    )
    log_format: Annotated[Literal["json", "readable"], BeforeValidator(_lower)] = Field(
        "json", description="json or readable"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        "INFO", description="debug, info, warning or error"
    )

    telegram_bot_token: Annotated[
        SecretStr, _secret_matches(r"\d{1,20}:[A-Za-z0-9_-]+", "must look like 123456:ABC…")
    ] = Field(description="the bot's token, from @BotFather")
    telegram_bot_username: Annotated[str, _matches(r"[A-Za-z]\w{2,31}", "must be the bot's name without the @")] = (
        Field(description="the bot's name without the @, from @BotFather")
    )
    telegram_api_url: _Https = Field("https://api.telegram.org", description="where Telegram's Bot API is")
    telegram_link_url: _Https = Field(
        "https://t.me", description="where links into Telegram lead, https://t.me or a mirror of it"
    )
    telegram_script_url: _Https = Field(
        "https://telegram.org/js/telegram-web-app.js", description="where the Mini App gets Telegram's script"
    )
    telegram_script_file: Path | None = Field(None, description="a copy of that script which our own web serves")
    operators: Annotated[frozenset[_UserId], BeforeValidator(_listed)] = Field(
        frozenset(), description="Telegram ids of the operators, with commas between"
    )
    support_contact: _Word = Field(description="whom customers write to, such as @qent_support")
    shop_name: str = Field("QentVPN", min_length=1, description="the shop's name, as customers read it")
    default_language: Annotated[Literal["ru", "en"], BeforeValidator(_lower)] = Field("ru", description="ru or en")

    public_url: _Https = Field(description="the address of this shop's web pages, https://HOST")
    web_host: _Host = Field("127.0.0.1", description="the address that the web process listens on")
    web_port: int = Field(8080, ge=1, le=65535, description="the port that the web process listens on, 1 to 65535")
    web_threads: int = Field(8, ge=1, le=256, description="how many requests are served at once, 1 to 256")
    trusted_proxies: int = Field(
        0, ge=0, le=10, description="how many proxies of yours stand in front of the web process, 0 to 10"
    )
    frame_ancestors: Annotated[tuple[_Origin, ...], BeforeValidator(_listed)] = Field(
        ("https://web.telegram.org",), description="origins that may show the Mini App in a frame"
    )
    init_data_max_age_seconds: int = Field(
        86_400, ge=60, le=30 * 86_400, description="how long a Mini App's launch is believed, 60 to 2592000 seconds"
    )

    yookassa_shop_id: Annotated[str, _matches(r"[0-9A-Za-z_-]+", "must be the number of the shop")] = Field(
        description="the shop's number, from YooKassa's account page"
    )
    yookassa_secret_key: _Secret = Field(description="the secret key, from YooKassa's account page, API keys")
    yookassa_api_url: _Https = Field("https://api.yookassa.ru/v3", description="where YooKassa's API is")
    yookassa_test_shop: bool = Field(False, description="true for a YooKassa test shop, false for the real one")
    yookassa_webhook_networks: Annotated[tuple[Network, ...], BeforeValidator(_listed)] | None = Field(
        None, description="networks that webhooks come from, with commas between; leave it out for YooKassa's own list"
    )

    receipts: bool = Field(False, description="true if customers get tax receipts (54-FZ) through YooKassa, else false")
    receipt_vat_code: int = Field(
        1, ge=1, le=12, description="YooKassa's number of your VAT rate, 1 to 12; 1 is no VAT"
    )
    receipt_tax_system: int | None = Field(
        None, ge=1, le=6, description="YooKassa's number of your tax system, 1 to 6, or leave it out"
    )

    plans_file: Path = Field(Path("plans.toml"), description="the file with the plans")
    trial_days: int = Field(0, ge=0, le=365, description="how many days a trial gives, 0 to 365; 0 means no trials")
    trial_traffic_gb: int | None = Field(
        None, ge=1, le=1_000_000, description="how many gigabytes a trial gives, or leave it out for unlimited"
    )
    trials_per_day: int = Field(
        50, ge=1, le=1_000_000, description="how many trials are given in any 24 hours, 1 or more"
    )
    grace_days: int = Field(
        1,
        ge=0,
        le=30,
        description="how many days the keys live on after the paid end, for renewing, 0 to 30",
    )
    rotations_per_day: int = Field(
        3, ge=0, le=100, description="how often a customer may take new keys in any 24 hours, 0 to 100"
    )
    key_secrets: dict[Annotated[int, Field(ge=1)], _KeySecret] = Field(
        min_length=1, description="KEY_SECRETS__1=…, the output of `openssl rand -hex 32`"
    )
    nodes: dict[_NodeCode, NodeSettings] = Field(
        min_length=1, description="NODES__DE1__…, the block that deploy_node_b.sh prints"
    )
    # After `nodes`, which its rule looks at.
    telegram_routes: Annotated[tuple[_TelegramRoute, ...], BeforeValidator(_listed)] = Field(
        (SecretStr("direct"),),
        description="the ways to Telegram in the order to try them, such as direct,node:de1",
    )

    @field_validator("telegram_routes")
    @classmethod
    def _routes_over_known_nodes(cls, routes: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        texts = [route.get_secret_value() for route in routes]
        if not texts:
            raise ValueError("names no way")
        if len(set(texts)) < len(texts):
            raise ValueError("names the same way twice")
        codes = [text.removeprefix("node:") for text in texts if text.startswith("node:")]
        if "nodes" in info.data and (unknown := [code for code in codes if code not in info.data["nodes"]]):
            raise ValueError(f"names a node that has no NODES__{unknown[0].upper()}__… block")
        return routes

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    def secrets(self) -> frozenset[str]:
        """Every literal that must never be written anywhere: for the logs' redaction."""
        # Not the URLs themselves: without a password they are no secret, and a mask over them would hide the useful.
        urls = [url.get_secret_value() for url in (self.database_url, *self.telegram_routes)]
        written = {password for url in urls if (password := urlsplit(url).password)}
        # As a proxy is told it, too.
        passwords = written | {unquote(password) for password in written}
        return frozenset({secret for secret in _secrets(self) if secret not in urls} | passwords)


def read_settings(environment: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> Settings:
    """The settings of this process: `environment` (os.environ if None) goes before the file `dotenv`.

    An empty value counts as not given; every secret may come from a file named by `NAME_FILE`. Raises
    ConfigurationProblems with one line per problem.
    """
    process = given(os.environ if environment is None else environment)
    file = read_dotenv(dotenv) if dotenv else {}
    file = {name: value for name, value in file.items() if not _alternatives(name) & process.keys()}
    problems = [
        f"{name} in {dotenv} is not a setting: correct its spelling or remove it" for name in file if not _known(name)
    ]
    problems += [
        f"{name} is not a setting: correct its spelling or remove it"
        for name in process
        if name.startswith(f"NODES{_NESTED}") and not _known(name)
    ]
    known = {name: value for name, value in {**file, **process}.items() if _known(name)}
    said = set()
    try:
        known = resolve_files(known, is_secret=_is_secret)
    except ConfigurationProblems as error:
        problems += error.problems
        said = {_without_file(name) for name in known if name != _without_file(name)}
        known = {name: value for name, value in known.items() if name == _without_file(name)}
    unfilled = {name for name, value in known.items() if is_placeholder(value)}
    problems += [f"{name} still holds the placeholder of .env.example: {_remedy(name)}" for name in unfilled]
    try:
        settings = Settings(**_Given(known)())
    except ValidationError as error:
        # A placeholder, or a secret whose file cannot be read, is not a second problem; nor is the lack of any node.
        said |= unfilled | {name.split(_NESTED)[0] for name in said if _NESTED in name}
        problems += [line for name, line in _explained(error) if name not in said]
    else:
        if not problems:
            return settings
    raise ConfigurationProblems(sorted(set(problems)))


def explain(problems: ConfigurationProblems) -> str:
    """What the operator reads instead of a stack trace."""
    lines = "\n".join(f"  - {problem}" for problem in problems.problems)
    return f"QentVPN cannot start: its settings have problems.\n{lines}\nEvery setting is explained in .env.example."


class _Given(EnvSettingsSource):
    """pydantic-settings' own nesting of names, over variables that were merged and checked before."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        # Nothing is JSON here: a secret of digits must stay text, and lists have commas.
        return value


def _field(name: str) -> tuple[FieldInfo, bool] | None:
    """The field that the variable `name` sets, and whether the variable sets one entry of its secrets."""
    top, *rest = name.split(_NESTED)
    field = Settings.model_fields.get(top.lower()) if name == name.upper() else None
    if top == "KEY_SECRETS":
        return (field, True) if field and len(rest) == 1 and rest[0].isdecimal() else None
    if top == "NODES":
        nested = NodeSettings.model_fields.get(rest[1].lower()) if field and len(rest) == 2 and rest[0] else None
        return (nested, _holds_secret(nested)) if nested else None
    return (field, _holds_secret(field)) if field and not rest else None


def _holds_secret(field: FieldInfo) -> bool:
    return SecretStr in {field.annotation, *_flat(field.annotation)}


def _flat(annotation: object) -> Iterator[object]:
    for argument in get_args(annotation):
        yield argument
        yield from _flat(argument)


def _is_secret(name: str) -> bool:
    found = _field(name)
    return found is not None and found[1]


def _without_file(name: str) -> str:
    secret = name.removesuffix("_FILE")
    return secret if _is_secret(secret) else name


def _known(name: str) -> bool:
    return _field(_without_file(name)) is not None


def _alternatives(name: str) -> set[str]:
    """The spellings of which the process environment's one displaces the file's."""
    return {_without_file(name), _without_file(name) + "_FILE"}


def _remedy(name: str) -> str:
    found = _field(name)
    description = found[0].description if found else Settings.model_fields[name.lower()].description
    return description or ""


def _explained(error: ValidationError) -> Iterator[tuple[str, str]]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        parts = [str(part) for part in problem["loc"] if part != "[key]"]
        if parts[0] == "nodes" and "[key]" in problem["loc"]:
            parts = parts[:2]
        depth = 3 if parts[0] == "nodes" else 2 if parts[0] == "key_secrets" else 1
        name = _NESTED.join(parts[:depth]).upper()
        found = _field(name)
        remedy = (found[0].description if found else Settings.model_fields[parts[0]].description) or ""
        if problem["type"] == "missing":
            yield name, f"{name} is not set: {remedy}"
        elif problem["type"] == "value_error":
            yield name, f"{name} {problem['msg'].removeprefix('Value error, ')}: {remedy}"
        else:
            yield name, f"{name} is not usable: {remedy}"


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _secrets(entry)

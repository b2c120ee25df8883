"""The agent's settings: one frozen object, read once from the environment. A field's description is the remedy that an
operator reads when it is missing or wrong."""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from shared.environment import ConfigurationProblems, given, is_placeholder, resolve_files

# What a process of ours ends with when starting it again changes nothing.
WRONG_SETTINGS: Final = 2

_PREFIX: Final = "AGENT_"
_LONG_ENOUGH: Final = r"[!-~]{32,}"


def _token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(_LONG_ENOUGH, value.get_secret_value()):
        raise ValueError("must be at least 32 printable characters without blanks")
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError as error:
        raise ValueError("must be an IP address") from error


def _time_of_day(value: object) -> object:
    try:
        return datetime.strptime(str(value), "%H:%M").replace(tzinfo=UTC).timetz()
    except ValueError as error:
        raise ValueError("must be a time of day such as 04:00") from error


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    token: Annotated[SecretStr, AfterValidator(_token)] = Field(
        alias="AGENT_TOKEN", description="what Node A must send; `openssl rand -hex 32` makes one"
    )
    host: Annotated[str, AfterValidator(_address)] = Field(
        default="127.0.0.1", alias="AGENT_HOST", description="where to listen; the proxy is on the same machine"
    )
    port: int = Field(default=8081, alias="AGENT_PORT", ge=1, le=65535, description="a free port, 1 to 65535")
    state: Path = Field(alias="AGENT_STATE", description="a directory that survives restarts: users.db and xray.json")
    xray: Path = Field(
        default=Path("/usr/local/bin/xray"), alias="AGENT_XRAY", description="the path of the Xray program"
    )
    skeleton: Path = Field(
        alias="AGENT_XRAY_CONFIG", description="the rendered shadowsocks_2022.json, which the users are put into"
    )
    renew_at: Annotated[time, BeforeValidator(_time_of_day)] = Field(
        default="04:00",
        validate_default=True,
        alias="AGENT_RENEW_AT",
        description="when a fresh Xray takes over, in UTC, if anybody was removed; such as 04:00",
    )
    log_format: Annotated[Literal["json", "readable"], BeforeValidator(_lower)] = Field(
        default="json", alias="LOG_FORMAT", description="json or readable"
    )
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)] = Field(
        default="INFO", alias="LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR"
    )


_NAMES: Final = {str(field.alias): field for field in Settings.model_fields.values()}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises ConfigurationProblems, with every problem at once."""
    values = resolve_files(given(environment), is_secret=lambda name: name == "AGENT_TOKEN")
    problems = [
        f"{name} is no setting of the agent: correct its spelling or remove it"
        for name in sorted(values)
        if name.startswith(_PREFIX) and name not in _NAMES
    ]
    problems += [
        f"{name} still holds an example's value: {_NAMES[name].description}"
        for name in sorted(values)
        if name in _NAMES and is_placeholder(values[name])
    ]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationProblems([*problems, *_explained(error)]) from None
    problems += _missing_files(settings)
    if problems:
        raise ConfigurationProblems(problems)
    return settings


def read_address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Where the agent answers, for a process on the same machine that needs nothing else of it."""
    values = given(environment)
    host = values.get("AGENT_HOST", "127.0.0.1")
    try:
        port = int(values.get("AGENT_PORT", "8081"))
    except ValueError:
        raise ConfigurationProblems([f"AGENT_PORT is not usable: {_NAMES['AGENT_PORT'].description}"]) from None
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 (only compared with)


def explain(problems: ConfigurationProblems) -> str:
    lines = "\n".join(f"- {problem}" for problem in problems.problems)
    return f"The agent cannot start: its settings have problems.\n{lines}"


def _missing_files(settings: Settings) -> Iterator[str]:
    if not settings.xray.is_file():
        yield f"AGENT_XRAY names no file ({settings.xray}): install Xray there, or say where it is"
    if not settings.skeleton.is_file():
        yield f"AGENT_XRAY_CONFIG names no file ({settings.skeleton}): render it, or say where it is"


def _explained(error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        name = str(problem["loc"][0])
        remedy = _NAMES[name].description
        if problem["type"] == "missing":
            yield f"{name} is not set: {remedy}"
        elif problem["type"] == "value_error":
            yield f"{name} {problem['msg'].removeprefix('Value error, ')}: {remedy}"
        else:
            yield f"{name} is not usable: {remedy}"

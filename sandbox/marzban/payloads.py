"""What the panel accepts. The wording of its refusals is the original's, from the recordings."""

import re
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator

from sandbox.marzban.inbounds import Tags
from shared.inbounds import OUTLINE_METHOD

PROTOCOLS: Final = {"vmess": "VMess", "vless": "VLESS", "trojan": "Trojan", "shadowsocks": "Shadowsocks"}

# Looser than its own text says: 3 to 32 word characters at the start, then nearly anything; `$` lets a newline through.
_USERNAME: Final = re.compile(r"^(?=\w{3,32}\b)[a-zA-Z0-9_@.-]+$")
_BAD_USERNAME: Final = "Username only can be 3 to 32 characters and contain a-z, 0-9, and underscores in between."
ResetStrategy = Literal["no_reset", "day", "week", "month", "year"]
Model = TypeVar("Model", bound=BaseModel)


class Refused(Exception):
    """422: `detail` maps the last part of each place to its complaint."""

    def __init__(self, detail: dict[str, str]) -> None:
        super().__init__(detail)
        self.detail = detail


class Vless(BaseModel):
    id: UUID = Field(default_factory=uuid4)
    flow: Literal["", "xtls-rprx-vision"] = ""


class Shadowsocks(BaseModel):
    password: str = Field(default_factory=lambda: secrets.token_urlsafe(16))
    method: Literal["aes-128-gcm", "aes-256-gcm", "chacha20-ietf-poly1305", "xchacha20-poly1305"] = OUTLINE_METHOD


# Of the protocols that a node of ours may have.
SETTINGS: Final[Mapping[str, type[BaseModel]]] = {"vless": Vless, "shadowsocks": Shadowsocks}


class UserFields(BaseModel):
    """What creation and modification share. Unknown fields are ignored, as in the original."""

    proxies: dict[str, dict[str, Any]] = {}
    expire: int | None = None
    data_limit: Annotated[int, Field(ge=0)] | None = None
    data_limit_reset_strategy: ResetStrategy = "no_reset"
    inbounds: dict[str, list[str]] = {}
    note: str | None = None
    on_hold_expire_duration: int | None = None
    on_hold_timeout: str | None = None
    auto_delete_in_days: int | None = None
    next_plan: dict[str, Any] | None = None

    @field_validator("data_limit", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError("data_limit must be an integer or a float, not a string")
        return int(value) if isinstance(value, float) else value

    @field_validator("proxies")
    @classmethod
    def _known_protocols(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for protocol in value:
            if protocol not in PROTOCOLS:
                raise ValueError(f"'{protocol}' is not a valid ProxyTypes")
        return value

    @field_validator("inbounds")
    @classmethod
    def _known_tags(cls, value: dict[str, list[str]], info: ValidationInfo) -> dict[str, list[str]]:
        known: Tags = info.context or {}
        for protocol, tags in value.items():
            for tag in tags:
                if tag not in known.get(protocol, []):
                    raise ValueError(f"Inbound {tag} doesn't exist")
        return value

    @field_validator("note")
    @classmethod
    def _short_note(cls, value: str | None) -> str | None:
        if value and len(value) > 500:
            raise ValueError("User's note can be a maximum of 500 character")
        return value


def _status_on_hold(status: str | None, info: ValidationInfo) -> None:
    if status == "on_hold":
        if not info.data.get("on_hold_expire_duration"):
            raise ValueError("User cannot be on hold without a valid on_hold_expire_duration.")
        if info.data.get("expire"):
            raise ValueError("User cannot be on hold with specified expire.")


class UserCreate(UserFields):
    username: str
    status: Literal["active", "on_hold"] = "active"

    @field_validator("proxies")
    @classmethod
    def _at_least_one(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        # Asked only when the field was sent: leaving it out passes, and poisons the row.
        if not value:
            raise ValueError("Each user needs at least one proxy")
        return value

    @field_validator("username")
    @classmethod
    def _name(cls, value: str) -> str:
        if not _USERNAME.match(value):
            raise ValueError(_BAD_USERNAME)
        return value

    @field_validator("status")
    @classmethod
    def _hold(cls, value: str, info: ValidationInfo) -> str:
        _status_on_hold(value, info)
        return value


class UserModify(UserFields):
    status: Literal["active", "disabled", "on_hold"] = "active"

    @field_validator("status")
    @classmethod
    def _hold(cls, value: str, info: ValidationInfo) -> str:
        _status_on_hold(value, info)
        return value


def parsed(model: type[Model], body: Any, tags: Tags | None = None) -> Model:
    """`tags`: those that there are, for what names some. Raises Refused with the original's kind of detail."""
    try:
        return model.model_validate(body, context=tags)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_context=False, include_input=False)
        raise Refused(
            {str(each["loc"][-1] if each["loc"] else "body"): _older_wording(each["msg"]) for each in complaints}
        ) from error


def _older_wording(complaint: str) -> str:
    """The original has an older pydantic, which counts from one and explains more."""
    return re.sub(
        r"invalid character: found `(.)` at (\d+)",
        lambda found: (
            "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-],"
            f" found `{found[1]}` at {int(found[2]) + 1}"
        ),
        complaint,
    )

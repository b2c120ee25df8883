"""The plans on sale, from `plans.toml`."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from node_a.domain.money import Money
from node_a.domain.plan import Plan
from shared.environment import ConfigurationProblems

GIGABYTE: Final = 10**9


def _price(text: str) -> str:
    if Money.parse(text).minor_units == 0:
        raise ValueError("must be more than 0.00")
    return text


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    code: str = Field(pattern=r"^[a-z0-9_]{1,32}$")
    days: int = Field(ge=1, le=3660)
    price: Annotated[str, AfterValidator(_price)]
    traffic_gb: int | None = Field(default=None, ge=1, le=1_000_000)

    def as_sold(self) -> Plan:
        limit = None if self.traffic_gb is None else self.traffic_gb * GIGABYTE
        return Plan(self.code, self.days, Money.parse(self.price), limit)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    plans: list[_Plan] = Field(min_length=1)


def read_plans(file: Path) -> dict[str, Plan]:
    """The plans by code, in the file's order. Raises ConfigurationProblems, one line for each."""
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        plans = _File.model_validate(document).plans
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationProblems([f"PLANS_FILE {file} cannot be read: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationProblems([f"{file} is not valid TOML: {error}"]) from None
    except ValidationError as error:
        lines = [f"{file}: {_place(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
        raise ConfigurationProblems(lines) from None
    doubled = [code for code, count in Counter(plan.code for plan in plans).items() if count > 1]
    if doubled:
        raise ConfigurationProblems([f"{file}: the code {code!r} stands there twice" for code in doubled])
    return {plan.code: plan.as_sold() for plan in plans}


def _place(location: tuple[int | str, ...]) -> str:
    """ "plan 2, price" for ("plans", 1, "price")."""
    parts = [f"plan {part + 1}" if isinstance(part, int) else part for part in location if part != "plans"]
    return ", ".join(parts) or "plans"

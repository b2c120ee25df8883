"""Reading what an operator has set: variables, a `.env` file, secrets in files; and saying plainly what is wrong."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream

FILE_SUFFIX: Final = "_FILE"

# What example files put where the operator's own value belongs.
_PLACEHOLDER: Final = re.compile(
    r"""
      change[-_]?me                    # change-me, https://change-me, postgresql://…:changeme@…
    | <[a-z][a-z0-9 _.-]*>             # <your token>
    | (?<![a-z0-9])example(?![a-z0-9]) # example, shop.example.org
    """,
    re.VERBOSE | re.IGNORECASE,
)


class ConfigurationProblems(Exception):
    """What keeps a process from starting: one line per problem, each with the variable's name and a remedy, and
    never with a value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


def is_placeholder(value: str) -> bool:
    """Whether `value` still holds what an example file put there."""
    return _PLACEHOLDER.search(value) is not None


def given(environment: Mapping[str, str | None]) -> dict[str, str]:
    """Only the variables that have a value: an empty one counts as not given."""
    return {name: value.strip() for name, value in environment.items() if value and value.strip()}


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a `.env` file, taken literally (a `$` in a password is a `$`); none if there is no such file.

    Raises ConfigurationProblems, naming lines and variables, if it cannot be read or says the same thing twice.
    """
    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationProblems([f"{path} cannot be read ({type(error).__name__}): make it readable"]) from None
    problems: list[str] = []
    variables: dict[str, str | None] = {}
    for binding in bindings:
        if binding.error:
            problems.append(f"{path}, line {binding.original.line}: not of the form NAME=value; correct or remove it")
        elif binding.key is not None:
            if variables.get(binding.key):
                problems.append(f"{binding.key} is given twice in {path}: keep one")
            variables[binding.key] = binding.value
    if problems:
        raise ConfigurationProblems(problems)
    return given(variables)


def resolve_files(
    environment: Mapping[str, str], *, is_secret: Callable[[str], bool] = lambda name: True
) -> dict[str, str]:
    """For every `NAME_FILE` whose NAME is a secret, the file's content (stripped) as NAME; the rest as it is.

    `is_secret` keeps this away from variables that only end like that, such as SSL_CERT_FILE. Raises
    ConfigurationProblems if both NAME and NAME_FILE are given, or the file cannot be read or is empty.
    """
    resolved = {}
    problems = []
    for name, value in environment.items():
        secret = name.removesuffix(FILE_SUFFIX)
        if secret in {name, ""} or not is_secret(secret):
            resolved[name] = value
        elif not value:
            continue
        elif environment.get(secret):
            problems.append(f"{secret} and {name} are both given: remove one of them")
        else:
            try:
                content = Path(value).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or type(error).__name__
                problems.append(f"{name} names a file that cannot be read ({reason}): check its path and owner")
                continue
            if content:
                resolved[secret] = content
            else:
                problems.append(f"{name} names an empty file: put the value of {secret} into it")
    if problems:
        raise ConfigurationProblems(problems)
    return resolved

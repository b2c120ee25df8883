"""The dependency rule holds, and each of its contracts has been seen to fail."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("node_a", "node_b", "shared", "sandbox")

with (ROOT / "pyproject.toml").open("rb") as _file:
    CONTRACTS = {
        contract["id"]: contract["name"] for contract in tomllib.load(_file)["tool"]["importlinter"]["contracts"]
    }

# Contract, a module that is planted, what it imports.
VIOLATIONS = [
    ("inward", "node_a/domain/planted.py", "node_a.application"),
    ("inward", "node_a/application/planted.py", "node_a.wording"),
    ("inward", "node_a/bot/planted.py", "node_a.web"),
    ("inward", "node_a/worker/planted.py", "node_a.adapters"),
    ("inward", "node_a/adapters/database/planted.py", "node_a.settings"),
    ("inward", "node_a/adapters/telegram/planted.py", "node_a.bot"),
    ("adapters", "node_a/adapters/payments/planted.py", "node_a.adapters.database"),
    ("bootstrap", "node_a/planted.py", "node_a.bootstrap"),
    ("wording", "node_a/adapters/telegram/planted.py", "node_a.wording"),
    ("nodes", "node_a/web/planted.py", "sandbox"),
    ("nodes", "sandbox/planted.py", "node_a"),
    ("nodes", "shared/planted.py", "sandbox"),
    ("nodes", "shared/planted.py", "node_b.agent"),
    ("nodes", "node_a/worker/planted.py", "node_b"),
    ("nodes", "node_b/agent/planted.py", "node_a"),
    ("nodes", "sandbox/planted.py", "node_b.agent"),
    ("frameworks", "node_a/application/planted.py", "flask"),
    ("frameworks", "node_a/domain/planted.py", "pydantic"),
    ("domain", "node_a/domain/planted.py", "structlog"),
    ("domain", "node_a/domain/planted.py", "shared.inbounds"),
]


def broken_contracts(directory: Path) -> set[str]:
    """The names of the contracts that import-linter finds broken in the packages below `directory`."""
    answer = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        env={"COLUMNS": "300", "PYTHONIOENCODING": "utf-8"},
    )
    said = re.findall(r"^(.*?) +(KEPT|BROKEN)\b", answer.stdout, re.MULTILINE)
    assert {name for name, _ in said} == set(CONTRACTS.values()), answer.stdout + answer.stderr
    broken = {name for name, state in said if state == "BROKEN"}
    assert bool(broken) == bool(answer.returncode)
    return broken


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages' modules and their contracts, to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        for module in (ROOT / package).rglob("*.py"):
            target = tmp_path / module.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(module, target)
    return tmp_path


def test_every_contract_is_kept() -> None:
    assert broken_contracts(ROOT) == set()


def test_every_contract_has_a_violation_below() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)


@pytest.mark.parametrize(("contract", "module", "imported"), VIOLATIONS)
def test_a_planted_violation_breaks_exactly_its_contract(contract: str, module: str, imported: str, copy: Path) -> None:
    assert (copy / module).parent.is_dir()
    (copy / module).write_text(f"import {imported}\n", encoding="utf-8")

    assert broken_contracts(copy) == {CONTRACTS[contract]}


def test_the_domain_imports_nothing_but_itself_and_the_standard_library() -> None:
    graph = grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)
    domain = {"node_a.domain", *graph.find_descendants("node_a.domain")}

    imported = {other for module in domain for other in graph.find_modules_directly_imported_by(module)} - domain

    assert {other for other in imported if other.split(".")[0] not in sys.stdlib_module_names} == set()
    assert not imported & {"asyncio", "time", "os", "random"}, "no await, no clock, no environment"

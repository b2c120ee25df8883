"""The deploy script under bats, each test by its own name, and everything of bash under shellcheck."""

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NAMES = re.findall(r'^@test "(.+)" \{$', (HERE / "deploy_node_b.bats").read_text(encoding="utf-8"), re.MULTILINE)
SCRIPTS = [ROOT / "deploy_node_b.sh", *ROOT.glob("shared/deploy/*.sh"), *ROOT.glob("node_b/firewall/*.sh")]

PACKAGES = {"nft": "nftables", "ip": "iproute2", "ss": "iproute2", "unshare": "util-linux", "flock": "util-linux"}


def needed(*programs: str) -> None:
    for program in programs:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            pytest.skip(f"{program} is not installed: apt install {PACKAGES.get(program, program)}")


@cache
def results() -> tuple[dict[str, str], str]:
    """`ok`, `not ok` or `skip` and why by the test's name, and all that was said. In a network of its own: ports are
    free, and its firewall is nobody's."""
    done = subprocess.run(
        ["unshare", "--net", "bash", "-c", 'ip link set lo up && exec bats --tap "$0"', HERE / "deploy_node_b.bats"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=600,
        check=False,
        env={
            **os.environ,
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin",
            "PYTHON": sys.executable,
            "OUTSIDE": os.readlink("/proc/self/ns/net"),
            "LC_ALL": "C.UTF-8",
        },
    )
    lines = re.findall(r"^(ok|not ok) \d+ (.+?)(?: # (skip.*))?$", done.stdout, re.MULTILINE)
    return {name: skipped or said for said, name, skipped in lines}, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_deploy_node_b(name: str) -> None:
    needed("bats", "nft", "ip", "ss", "unshare", "flock")
    if os.geteuid() != 0:
        pytest.skip("the deploy script is tried as root, in a network of its own")
    by_name, said = results()
    if by_name.get(name, "").startswith("skip"):
        pytest.skip(by_name[name].removeprefix("skip "))

    assert by_name.get(name) == "ok", said


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    needed("shellcheck")
    done = subprocess.run(
        ["shellcheck", "--external-sources", "--source-path", ROOT, script], capture_output=True, text=True, check=False
    )

    assert done.stdout == ""
    assert done.returncode == 0

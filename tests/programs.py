"""Programs of the apps' world that our configurations are tried with: `make programs` builds them into var/tools."""

import os
import subprocess
from pathlib import Path

import pytest

_TOOLS = Path(__file__).parents[1] / "var" / "tools"


def program(name: str) -> Path:
    """`sing-box` or `xray`, unless SING_BOX or XRAY says which; the calling test is skipped by name without it."""
    said = os.environ.get(name.upper().replace("-", "_"))
    if said:
        return Path(said)
    built = sorted(_TOOLS.glob(f"{name}-*"), key=lambda file: file.stat().st_mtime)
    if not built:
        pytest.skip(f"{name} is not built: make programs (needs Go)")
    return built[-1]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Its two outputs in `stdout`, in order."""
    return subprocess.run(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )

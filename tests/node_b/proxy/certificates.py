"""Certificates made by hand, as the deploy script makes the node's."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Certificate:
    """Self-signed, and its key, as files."""

    chain: Path
    key: Path

    @property
    def pem(self) -> str:
        return self.chain.read_text(encoding="ascii")


def a_certificate(directory: Path, name: str) -> Certificate:
    """`name`: what it is for; it need not be the address under which it is served."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    directory.mkdir(parents=True, exist_ok=True)
    made = Certificate(directory / "made.crt", directory / "made.key")
    files = ["-keyout", str(made.key), "-out", str(made.chain)]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *files], check=True, capture_output=True)
    return made

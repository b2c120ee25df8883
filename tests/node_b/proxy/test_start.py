"""How Caddy starts in its container: nobody's rights, nothing to write on, no network."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.node_b.proxy.certificates import a_certificate
from tests.node_b.proxy.proxies import caddyfile
from tests.programs import free_port, program, run
from tests.waiting import until

NOBODY = 65534


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that nobody may read: pytest's own are the user's alone."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def a_configuration(directory: Path) -> Path:
    certificate = a_certificate(directory, "node.test")
    certificate.key.chmod(0o644)
    config = directory / "Caddyfile"
    config.write_text(
        caddyfile(free_port(), certificate, "127.0.0.1:8000", "127.0.0.1:8081", "https://api.telegram.org")
    )
    return config


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may take a namespace and another user's rights")
def test_it_starts_as_nobody_on_read_only_ground_without_a_network(open_directory: Path) -> None:
    for needed in ("unshare", "setpriv"):
        if shutil.which(needed) is None:
            pytest.skip(f"{needed} is not installed")
    a_configuration(open_directory)
    caddy = open_directory / "caddy"
    shutil.copy2(program("caddy"), caddy)
    # A home that is read-only, and a network with nothing in it: whatever it asked for at its start would fail.
    script = (
        'mount --make-rprivate / && mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && '
        f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs --inh-caps=-all "
        'env -i HOME="$0" "$0/caddy" run --adapter caddyfile --config "$0/Caddyfile"'
    )
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", script, str(open_directory)],
            stdout=said,
            stderr=said,
        )

        def lines() -> list[dict[str, str]]:
            # A descriptor of our own: theirs shares its place with what they write.
            text = Path(f"/proc/{os.getpid()}/fd/{said.fileno()}").read_text()
            assert process.poll() is None, text
            return [json.loads(line) for line in text.splitlines()]

        try:
            until(lambda: any(line["msg"] == "serving initial configuration" for line in lines()))
            until(lambda: any("background certificate maintenance" in line["msg"] for line in lines()))
            # "admin endpoint disabled" is a warning of its own.
            assert [line["msg"] for line in lines() if line["level"] in {"warn", "error"}] == [
                "admin endpoint disabled"
            ]
            assert Path(f"/proc/{process.pid}/status").read_text().count(f"Uid:\t{NOBODY}") == 1
        finally:
            process.kill()
            process.wait()
    assert sorted(path.name for path in open_directory.iterdir()) == ["Caddyfile", "caddy", "made.crt", "made.key"]


def test_the_configuration_is_written_as_caddy_writes_it(open_directory: Path) -> None:
    config = a_configuration(open_directory)

    assert run(program("caddy"), "validate", "--adapter", "caddyfile", "--config", config).returncode == 0
    formatted = run(program("caddy"), "fmt", "--diff", config)
    assert formatted.returncode == 0, formatted.stdout


def test_it_ends_at_once_when_it_is_told_to(open_directory: Path) -> None:
    config = a_configuration(open_directory)
    with (open_directory / "said").open("wb") as said:
        process = subprocess.Popen([program("caddy"), "run", "--adapter", "caddyfile", "--config", config], stderr=said)
        try:
            until(lambda: b"serving initial configuration" in (open_directory / "said").read_bytes())
            process.terminate()
            assert process.wait(15) == 0
        finally:
            process.kill()
            process.wait()

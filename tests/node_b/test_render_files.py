"""What is secret is private from its first byte, and whole or not there."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from node_b.private_files import create_private, locked, write_private
from tests.node_b.states import decided, render, rendered


def test_only_their_owner_reads_the_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        rendered(tmp_path / "state")
        assert render(tmp_path / "state", "rotate", "token") == 0
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").rglob("*")}
    del modes["node.env"]  # the test's own
    assert {name for name, mode in modes.items() if mode == 0o700} == {"rendered", "certificate"}
    assert {mode for name, mode in modes.items() if name not in {"rendered", "certificate"}} == {0o600}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_a_file_is_private_from_its_first_byte(tmp_path: Path) -> None:
    """Seen in the very moment in which it is opened, by the calls that the process makes."""
    code = f"""
import os, sys
from pathlib import Path
sys.addaudithook(lambda event, facts: print(event, facts) if event in {{"open", "os.chmod"}} else None)
os.umask(0)
from node_b.private_files import write_private
write_private(Path({str(tmp_path / "secret")!r}), "x")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout

    assert "os.chmod" not in said
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_closed_even_if_its_content_is_right(tmp_path: Path) -> None:
    directory = rendered(tmp_path)
    (directory / "agent.env").chmod(0o644)
    directory.chmod(0o755)

    assert render(tmp_path, "configs") == 0

    assert stat.S_IMODE((directory / "agent.env").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_crash_in_the_middle_of_writing_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    write_private(file, "old")

    with pytest.raises(UnicodeEncodeError):
        write_private(file, "new \ud800")

    assert file.read_text() == "old"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "keys.env").symlink_to(tmp_path / "theirs")

    with pytest.raises(FileExistsError):
        create_private(tmp_path / "keys.env", "ours")
    write_private(tmp_path / "keys.env", "ours")

    assert (tmp_path / "theirs").read_text() == "theirs"
    assert not (tmp_path / "keys.env").is_symlink()


def test_the_lock_keeps_another_process_waiting(tmp_path: Path) -> None:
    decided(tmp_path)
    with locked(tmp_path):
        process = subprocess.Popen(
            [sys.executable, "-m", "node_b.render", "--state", str(tmp_path), "keys"], stdout=subprocess.PIPE
        )
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        assert not (tmp_path / "keys.env").exists()
    process.communicate(timeout=60)

    assert process.returncode == 0

"""The commands leave alone what is not theirs."""

import fcntl
import itertools
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from sandbox.demo import demo
from sandbox.shop import PROJECT, ShopDidNotStart, running_shop
from sandbox.smoke import smoke


def test_smoke_deletes_no_directory_that_is_not_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")

    assert smoke(tmp_path) == 1

    assert (tmp_path / "thesis.txt").exists()
    assert "left alone" in capsys.readouterr().err


def test_a_second_shop_in_the_same_directory_does_not_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "running.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(ShopDidNotStart, match="already"), running_shop(tmp_path):
            pass
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        assert demo(tmp_path) == 1
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert "The shop did not start: one is running in" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_prints_one_address_and_ctrl_c_leaves_no_orphan(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "demo", "--directory", str(tmp_path)],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    printed = "".join(itertools.takewhile(lambda line: "Ctrl-C" not in line, process.stdout))
    [address] = re.findall(r"http://\S+", printed)
    page = httpx.get(address, trust_env=False)
    family = psutil.Process(process.pid).children(recursive=True)

    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 0
    process.stdout.close()
    assert page.status_code == 200
    assert len(family) >= 4, "all, bot, worker, web and its own worker"
    assert [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []

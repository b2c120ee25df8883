"""What every test may rely on."""

import os
from pathlib import Path

import hypothesis
import pytest

# No time limits: a slow machine is no bug. In CI the same examples each time, so that red means a change made it red.
hypothesis.settings.register_profile(
    "shop",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("NO_SKIPS")),
)
hypothesis.settings.load_profile("shop")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """A missing tool is a named skip for a user and a failure in CI (NO_SKIPS=1)."""
    report = yield
    if report.skipped and os.environ.get("NO_SKIPS") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and NO_SKIPS is set: {report.longrepr}"
    return report


_PROOFS = Path(__file__).with_name("proofs")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long, and what needs a PostgreSQL server, is for `make proofs`."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        on_postgresql = parameters is not None and "postgresql" in parameters.params.values()
        if on_postgresql or item.path.is_relative_to(_PROOFS):
            item.add_marker(pytest.mark.proof)

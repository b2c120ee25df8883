"""Once a night, whatever the clock does."""

from datetime import UTC, datetime, time

import pytest

from node_b.agent.renewal import passed

FOUR = time(4, 0, tzinfo=UTC)


def _at(text: str) -> float:
    return datetime.fromisoformat(f"2026-11-{text}+00:00").timestamp()


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("28 03:59:59", "28 04:00:00", True),
        ("28 04:00:00", "28 04:00:01", False),
        ("28 03:00:00", "28 03:59:59", False),
        ("28 23:59:59", "29 00:00:01", False),
        ("28 12:00:00", "29 12:00:00", True),  # a clock that jumped over it
        ("28 03:00:00", "30 02:00:00", True),
        ("28 04:00:05", "28 03:59:59", False),  # and one that was put back
        ("28 04:00:05", "25 12:00:00", False),
    ],
)
def test_when_the_hand_over_is_due(before: str, now: str, expected: bool) -> None:
    assert passed(FOUR, _at(before), _at(now)) is expected

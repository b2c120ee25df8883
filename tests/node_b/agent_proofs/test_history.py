"""The judge of the stress: what it calls a break-in, and what a refusal."""

import pytest

from tests.node_b.agent_proofs.history import Attempt, History, Told

# Added 0–1, another key 10–11, removed 20–21.
HISTORY = History([Told("old", 0, 1), Told("new", 10, 11), Told(None, 20, 21)])


@pytest.mark.parametrize(
    ("key", "begun", "ended", "could", "had_to"),
    [
        ("old", 2, 3, True, True),
        ("old", 0.5, 3, True, False),
        ("old", 9, 10.5, True, False),
        ("old", 11.1, 12, False, False),
        ("new", 5, 9.9, False, False),
        ("new", 12, 13, True, True),
        ("new", 20.5, 30, True, False),
        ("new", 21.1, 30, False, False),
        ("another", 2, 3, False, False),
    ],
)
def test_each_attempt_is_judged_by_what_was_told_before_and_after(
    key: str, begun: float, ended: float, could: bool, had_to: bool
) -> None:
    attempt = Attempt("anna", key, begun, ended, opened=True, whole=True)

    assert HISTORY.could_open(attempt) is could
    assert HISTORY.had_to_open(attempt) is had_to


def test_who_was_put_again_may_come_again() -> None:
    history = History([*HISTORY.told, Told("old", 30, 31)])

    assert history.could_open(Attempt("anna", "old", 32, 33, opened=True, whole=True))
    assert history.had_to_open(Attempt("anna", "old", 32, 33, opened=True, whole=True))
    assert not history.could_open(Attempt("anna", "old", 22, 23, opened=True, whole=True))

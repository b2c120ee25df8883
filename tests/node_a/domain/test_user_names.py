"""The name of a subscription on every node, and back: whatever else is called so is not ours."""

from uuid import UUID

import pytest

from node_a.domain.access import subscription_of_user, user_name
from node_a.domain.subscription import SubscriptionId

OURS = SubscriptionId(UUID("0c1f2e3d-4b5a-4978-8796-a5b4c3d2e1f0"))


def test_a_user_of_ours_leads_back_to_its_subscription() -> None:
    assert subscription_of_user(user_name(OURS)) == OURS


@pytest.mark.parametrize(
    "name",
    [
        "anna",
        "q_",
        user_name(OURS)[2:],
        user_name(OURS)[:-1],
        user_name(OURS) + "a",
        user_name(OURS).upper(),
        "q_" + "1" * 26,  # no digit of base32
        "q_" + "é" * 26,
        user_name(OURS)[:-1] + "b",  # its last digit has bits that no id has
    ],
)
def test_nothing_else_is_taken_for_a_user_of_ours(name: str) -> None:
    assert subscription_of_user(name) is None

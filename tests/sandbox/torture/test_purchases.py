"""What the customers remember of their payments."""

from sandbox.torture.purchases import Purchases


def test_a_customer_remembers_what_was_paid_and_by_nobody_else() -> None:
    purchases = Purchases()
    for payment, customer in (("a", 1), ("b", 1), ("c", 1), ("d", 2)):
        purchases.opened(payment, customer)
    purchases.paid("a")
    purchases.paid("b")
    purchases.declined("c")
    purchases.paid("d")

    assert [purchases.paid_by(customer) for customer in (1, 2, 3)] == [{"a", "b"}, {"d"}, set()]

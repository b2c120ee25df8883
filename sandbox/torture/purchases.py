"""What the customers remember: which payments they opened, and which they paid."""

import threading


class Purchases:
    """Written by many threads. Payments by the provider's ids."""

    def __init__(self) -> None:
        self.repeated_taps = 0
        self.gave_up: list[str] = []
        self._customers: dict[str, int] = {}
        self._decided: set[str] = set()
        self._paid: set[str] = set()
        self._lock = threading.Lock()

    def opened(self, payment: str, customer: int) -> None:
        with self._lock:
            self._customers[payment] = customer

    def paid(self, payment: str) -> None:
        with self._lock:
            self._paid.add(payment)
        self.declined(payment)

    def declined(self, payment: str) -> None:
        with self._lock:
            self._decided.add(payment)

    def tapped_again(self) -> None:
        with self._lock:
            self.repeated_taps += 1

    def disappointed(self, customer: int, why: str) -> None:
        with self._lock:
            self.gave_up.append(f"customer {customer}: {why}")

    def unpaid(self) -> list[str]:
        with self._lock:
            return sorted(set(self._customers) - self._decided)

    def customer_of(self, payment: str) -> int | None:
        with self._lock:
            return self._customers.get(payment)

    def paid_by(self, customer: int) -> frozenset[str]:
        with self._lock:
            return frozenset(payment for payment in self._paid if self._customers[payment] == customer)

    @property
    def number_paid(self) -> int:
        with self._lock:
            return len(self._paid)

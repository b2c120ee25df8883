"""The switches for trouble that the chat page shows; every stand-in looks at them when it acts."""

from dataclasses import dataclass


@dataclass(slots=True)
class Troubles:
    """All off means that everything works. `lose_next_webhook` switches itself off after one loss."""

    lose_next_webhook: bool = False
    send_webhooks_twice: bool = False
    marzban_down: bool = False
    agent_down: bool = False
    telegram_down: bool = False

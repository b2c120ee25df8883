"""A bad night: Node A's processes are killed at random moments while everything around them fails, and customers buy.

What became of the purchases is judged from outside: by what the stand-ins hold and what came into the chats.
"""

from sandbox.torture.command import torture

__all__ = ["torture"]

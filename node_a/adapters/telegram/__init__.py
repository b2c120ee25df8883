"""Telegram's Bot API: the client, and the port through which letters leave."""

from node_a.adapters.telegram.client import close_bot, open_bot
from node_a.adapters.telegram.messenger import TelegramMessenger

__all__ = ["TelegramMessenger", "close_bot", "open_bot"]

"""Telegram's Bot API: the client, and the port through which letters leave."""

from node_a.adapters.telegram.client import close_bot, look_at_routes, open_bot
from node_a.adapters.telegram.messenger import TelegramMessenger
from node_a.adapters.telegram.routes import Route

__all__ = ["Route", "TelegramMessenger", "close_bot", "look_at_routes", "open_bot"]

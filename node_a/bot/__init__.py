"""The bot: an update comes in, a use case runs, letters go out."""

from node_a.bot.operators import Operations
from node_a.bot.rate import RequestLimit
from node_a.bot.shop_bot import ShopBot

__all__ = ["Operations", "RequestLimit", "ShopBot"]

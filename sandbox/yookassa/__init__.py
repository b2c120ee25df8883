"""The stand-in for YooKassa: API v3 of a test shop, a pay page, webhooks, and switches for every kind of trouble."""

from sandbox.yookassa.application import create_app

__all__ = ["create_app"]

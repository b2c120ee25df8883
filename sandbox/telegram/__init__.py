"""Stands in for Telegram: the Bot API, a chat page that looks like the app, and the switches for trouble.

It is as strict as the original with one exception: where Telegram insists on https (Mini Apps, menu button),
http is accepted too if the host is loopback, because an offline demo has no certificate.
"""

from sandbox.telegram.app import create_app

__all__ = ["create_app"]

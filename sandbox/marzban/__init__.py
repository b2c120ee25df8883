"""A stand-in for Marzban 0.8.4's API, strict where the original is strict and with its traps."""

from sandbox.marzban.application import create_app

__all__ = ["create_app"]

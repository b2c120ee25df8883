"""Offline stand-ins for Telegram, YooKassa and a node: for the demo and the tests, never for customers.

The product knows them only as addresses in its settings; they know the product only by its processes and ports.
"""

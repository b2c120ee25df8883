"""The web edge: a request comes in, a use case runs, a page or a status goes out."""

from node_a.web.application import create_app
from node_a.web.needs import Web

__all__ = ["Web", "create_app"]

"""A node over HTTPS: its panel and its agent behind one port."""

from node_a.adapters.node_b.gateway import NodeAccount, NodeB
from node_a.adapters.node_b.reach import PublicAddress

__all__ = ["NodeAccount", "NodeB", "PublicAddress"]

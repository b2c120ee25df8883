"""A node over HTTPS: its panel and its agent behind one port."""

from node_a.adapters.node_b.gateway import NodeAccount, NodeB

__all__ = ["NodeAccount", "NodeB"]

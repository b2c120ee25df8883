"""What a node's containers mount, made from what the operator decided and from keys made once."""

from node_b.blanks import RenderError, render_json, render_text

__all__ = ["RenderError", "render_json", "render_text"]

"""A stand-in for the agent on a node: `shared/agent_contract.py`, without an Xray."""

from sandbox.agent.application import create_app

__all__ = ["create_app"]

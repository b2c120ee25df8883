"""Proofs of the agent as customers see it: the real process, the real Xray, and sing-box as everybody's client."""

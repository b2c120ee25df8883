"""A purchase whose process is killed at every step, and what must hold after the next start."""

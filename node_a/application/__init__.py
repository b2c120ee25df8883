"""The use cases, one file per activity, and the ports through which they reach the world."""

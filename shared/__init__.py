"""Only what both nodes need."""

"""Node B carries traffic: what runs there beside the panel, and what makes its keys and configurations."""

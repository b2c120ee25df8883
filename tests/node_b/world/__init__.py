"""A small Internet of the test's own: a node as it is in life, the shop that sells its keys, customers, and what they
visit. Each in a network namespace that nobody else sees and that needs no cleaning up."""

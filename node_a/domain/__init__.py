"""Pure values and verbs: standard library only, no clock, no await."""

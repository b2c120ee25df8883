"""Measurements by hand, as ratios within one run: the machines are noisy, so nothing here is a test."""

"""Measurements against the targets of design.md §10: ratios side by side in one run, and counts of calls."""

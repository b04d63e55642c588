"""Measurements against targets: ratios side by side in one run, and counts of calls. docs/performance.md."""

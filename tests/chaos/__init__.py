"""Chaos on real parts: ``python -m tests.chaos`` kills the running app at random moments."""

"""A faithful fake Sentry: one organization over real HTTP, for a test, a demo, or alone."""

from simulator.sentry.server import APPLICATION, SENTRY, Actor, FakeSentry, Modes, Weather

__all__ = ["APPLICATION", "SENTRY", "Actor", "FakeSentry", "Modes", "Weather"]

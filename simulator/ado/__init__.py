"""A faithful fake Azure DevOps: one organization over real HTTP, for a test, a demo, or alone."""

from simulator.ado.server import FakeAdo

__all__ = ["FakeAdo"]

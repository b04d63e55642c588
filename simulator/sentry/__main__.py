"""Runs the fake Sentry alone: ``python -m simulator.sentry --port 8082``."""

from simulator.sentry.server import main

main()

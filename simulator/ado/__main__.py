"""Runs the fake Azure DevOps alone: ``python -m simulator.ado --port 8081``."""

import sys

from simulator.ado.server import main

main(sys.argv[1:])

"""Runs the app of the current folder: ``python -m simulator.host --port 7071``."""

import sys

from simulator.host.command import main

sys.exit(main())

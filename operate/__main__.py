"""Runs the command as ``python -m operate``."""

from operate.cli import main

main()

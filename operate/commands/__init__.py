"""The commands, a file for each concern; ``operate/cli.py`` is their table of contents."""

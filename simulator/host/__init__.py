"""A local stand-in for the Azure Functions host; what it does not do is said in ``command.py``."""

"""The operator's command, ``sentry-ado``: connects, examines and mends a deployed app, over its HTTP API."""

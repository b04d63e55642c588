"""Checks of what deploys the app: templates, hooks, pipelines, the package. No network, no Azure."""

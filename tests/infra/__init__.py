"""The checks of what deploys the app: templates, hooks, pipelines, the package. They need no network and no Azure."""

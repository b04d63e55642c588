"""The core library: layers that import only from the layers below, and never a trigger.

`flows` → `services` → `settling` → `ado`, `sentry`, `store` → `http`, `settings` → `domain`.
`make check` enforces these arrows. Each package's docstring says what belongs in it.
"""

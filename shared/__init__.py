"""The core library, in rooms that use only what stands below them; it knows no trigger.

`flows` → `services` → `settling` → `ado`, `sentry`, `store` → `http`, `settings` → `domain`.
`make check` holds these arrows; each room's docstring says what belongs in it.
"""

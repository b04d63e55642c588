"""Web apps whose routes are compiled once: each simulated organization has its own app, and each test some.

Compiling the routes of one takes longer than most tests.
"""

from collections import defaultdict

from flask import Flask
from werkzeug.routing import Map, Rule, RuleFactory


class _Routes(Map):
    """Keeps the first of several routes that are alike."""

    def __init__(self) -> None:
        super().__init__()
        self._known: set[tuple[str, str, frozenset[str]]] = set()

    def add(self, rulefactory: RuleFactory) -> None:
        for rule in rulefactory.get_rules(self):
            key = _key(rule)
            if key not in self._known:
                self._known.add(key)
                super().add(rule)


def _key(rule: Rule) -> tuple[str, str, frozenset[str]]:
    return rule.rule, str(rule.endpoint), frozenset(rule.methods or ())


_ROUTES: defaultdict[str, _Routes] = defaultdict(_Routes)


def web_app(name: str) -> Flask:
    """Return an app without routes; those it is given have to be the same for each app of this name."""
    app = Flask(name, static_folder=None)
    app.url_map = _ROUTES[name]
    return app

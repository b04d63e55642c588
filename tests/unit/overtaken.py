"""A table in which somebody else does something at a moment of the test's choosing."""

from collections.abc import Callable

from shared.domain.errors import Unavailable
from shared.store.tables import Operation, Row
from tests.doubles.tables import MemoryTable
from tests.unit.scene import Scene


class Overtaken(MemoryTable):
    """A table in which somebody else does something before or after the first change that is like this.

    A change is known by the text that it stores, or by the key that it deletes. If it ``repeats``, it is made
    twice, as storage's client does after a 503, whether the first one landed or not.
    """

    def __init__(self) -> None:
        super().__init__()
        self.is_meant: Callable[[str], bool] = lambda _text: False
        self.before: Callable[[], object] = lambda: None
        self.after: Callable[[], object] = lambda: None
        self.breaks_at = ""
        self.repeats = False

    def get(self, partition: str, key: str) -> Row:
        if key == self.breaks_at:
            raise Unavailable("storage", "HTTP 500")
        return super().get(partition, key)

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        is_meant = any(self.is_meant(getattr(each, "text", each.key)) for each in operations)
        if is_meant:
            self.is_meant = lambda _text: False
            self.before()
            if self.repeats:
                super().apply(partition, *operations)
        etags = super().apply(partition, *operations)
        if is_meant:
            self.after()
        return etags


def scene_on(links: Overtaken) -> Scene:
    """Return a scene whose links, and what is kept beside them, are in this table."""
    scene = Scene()
    scene.services._named["links"] = links
    for store in ("links", "idempotency"):
        scene.services.__dict__.pop(store, None)
    scene.link()
    return scene

"""The clock of a simulated service, as its answers date themselves; it may be wrong."""

import time
from collections.abc import Callable

from werkzeug.serving import WSGIRequestHandler


def dated(handler: type[WSGIRequestHandler], ahead: Callable[[], float]) -> type[WSGIRequestHandler]:
    """Return a handler whose answers carry a date that is ``ahead`` seconds in the future."""

    class Dated(handler):  # type: ignore[misc,valid-type]  # whatever handler it is
        def date_time_string(self, timestamp: float | None = None) -> str:
            at = time.time() if timestamp is None else timestamp
            return str(super().date_time_string(at + ahead()))

    return Dated

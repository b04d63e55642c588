"""The states of each project's work item types, cached for an hour."""

import threading
import time
from collections.abc import Callable

import msgspec

from shared.domain.model import WorkItemTypes
from shared.domain.ports import Ado

_KEPT_FOR = 3600.0  # seconds
_REFRESHED_AT_MOST_EVERY = 30.0  # seconds, when a person opens the form or a state is unknown


class _Kept(msgspec.Struct, frozen=True):
    types: WorkItemTypes
    at: float


class ProcessCache:
    """A cache of this instance of the app; a miss costs one call.

    What was read through one connection, by its ``scope``, says nothing of another with equal projects.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._lock = threading.Lock()

    def types(self, ado: Ado, scope: str, project_id: str) -> WorkItemTypes:
        """Return the types of a project, at most an hour old."""
        kept = self._find(scope, project_id)
        if kept is not None and self._clock() - kept.at < _KEPT_FOR:
            return kept.types
        return self.refresh(ado, scope, project_id)

    def recent(self, ado: Ado, scope: str, project_id: str) -> WorkItemTypes:
        """Return the types of a project, at most 30 seconds old, for a person who may just have edited it."""
        kept = self._find(scope, project_id)
        if kept is not None and self._clock() - kept.at < _REFRESHED_AT_MOST_EVERY:
            return kept.types
        return self.refresh(ado, scope, project_id)

    def types_since(self, ado: Ado, scope: str, project_id: str, moment: float) -> WorkItemTypes:
        """Return the types as they were after ``moment``, a time of ``now``."""
        kept = self._find(scope, project_id)
        return kept.types if kept and kept.at > moment else self.refresh(ado, scope, project_id)

    def now(self) -> float:
        return self._clock()

    def types_with(
        self, ado: Ado, scope: str, project_id: str, work_item_type: str, state: str
    ) -> WorkItemTypes:
        """Return the types of a project, refreshed if they do not contain this state.

        A state that stays unknown causes at most one refresh in 30 seconds.
        """
        types = self.types(ado, scope, project_id)
        if any(each.name == state for each in types.get(work_item_type, ())):
            return types
        return self.recent(ado, scope, project_id)

    def refresh(self, ado: Ado, scope: str, project_id: str) -> WorkItemTypes:
        types = ado.get_work_item_types(project_id)
        with self._lock:
            now = self._clock()
            # Connections end, and a document that is tried has one of its own: nobody would forget those.
            self._kept = {key: each for key, each in self._kept.items() if now - each.at < _KEPT_FOR}
            self._kept[scope, project_id] = _Kept(types, now)
        return types

    def _find(self, scope: str, project_id: str) -> _Kept | None:
        with self._lock:
            return self._kept.get((scope, project_id))

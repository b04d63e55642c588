"""When the simulated host looks into a queue: at once when work ends, or, if asked, as seldom as Azure's."""

import threading
from typing import Any, cast

import pytest

from simulator.host.app import QueueOptions
from simulator.host.engine import Engine
from simulator.host.queues import QueueListener
from simulator.host.work import Work


class EmptyQueue:
    """Nothing is ever on it; each look is noted."""

    def __init__(self) -> None:
        self.looks = 0
        self.looked = threading.Semaphore(0)

    def receive_messages(self, **_options: Any) -> "EmptyQueue":
        self.looks += 1
        self.looked.release()
        return self

    def by_page(self) -> Any:
        return iter(())


@pytest.mark.parametrize("azure_polling", [False, True])
def test_only_a_local_host_looks_when_other_work_ends(azure_polling: bool) -> None:
    queue, work = EmptyQueue(), Work(cast("Engine", None))
    listener = QueueListener(
        cast("Any", None),
        "inbound-sync",
        lambda _name: cast("Any", queue),
        QueueOptions(max_polling_seconds=3600),
        600,
        work,
        azure_polling=azure_polling,
    )
    listener.start()
    # After the fifth look it would wait for 1.6 seconds.
    for _ in range(5):
        assert queue.looked.acquire(timeout=10)
    with work.piece():
        pass
    looked_again = queue.looked.acquire(timeout=0.8)
    listener.stop()
    listener.join(10)
    assert looked_again is not azure_polling

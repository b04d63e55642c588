"""Timer triggers: one thread for each, which waits for the next time and runs the function."""

import json
import logging
import threading
from datetime import UTC, datetime

from azure.functions.meta import Datum

from simulator.host.app import HostedFunction, TimerTrigger
from simulator.host.work import Work

# The clock is read at least this often: it can be set, and a laptop can sleep.
_LONGEST_WAIT_SECONDS = 30.0

logger = logging.getLogger("host.timers")


class Timer:
    """One timer function. A run that lasts longer than the interval delays the next; two never overlap."""

    def __init__(self, function: HostedFunction, trigger: TimerTrigger, work: Work) -> None:
        self._function = function
        self._trigger = trigger
        self._work = work
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tick, name=f"timer {function.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _tick(self) -> None:
        if self._trigger.run_on_startup:
            self._run()
        while self._wait_until(self._trigger.schedule.after(datetime.now(UTC))):
            self._run()

    def _wait_until(self, moment: datetime) -> bool:
        """Return True at that moment, or False as soon as the host stops."""
        while (seconds := (moment - datetime.now(UTC)).total_seconds()) > 0:
            if self._stopping.wait(min(seconds, _LONGEST_WAIT_SECONDS)):
                return False
        return not self._stopping.is_set()

    def _run(self) -> None:
        logger.info("%s is due", self._function.name)
        with self._work.piece():
            self._work.try_run(self._function, timer_datum(self._trigger))


def timer_datum(trigger: TimerTrigger) -> Datum:
    """Build what a timer function receives. The host keeps no record of runs, so none is ever past due."""
    now = datetime.now(UTC)
    status = {
        "Last": now.isoformat(),
        "Next": trigger.schedule.after(now).isoformat(),
        "LastUpdated": now.isoformat(),
    }
    return Datum(
        json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}), "json"
    )

"""A signal ends a program whatever its main thread is doing at that moment."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# The signal comes at the first line that the main thread runs on its way to waiting, then at the second, and
# so on; where there are no more lines, it comes while the thread waits.
PROGRAM = """
import signal, sys, threading
from simulator.ending import Ending

how, number = sys.argv[1], signal.Signals[sys.argv[2]]
ending = Ending()
waits = {"wait": ending.wait, "comes_within": lambda: ending.comes_within(60)}

def ends_by_line(last):
    lines = 0
    def count(frame, event, _):
        nonlocal lines
        lines += event == "line"
        if event == "line" and lines == last:
            late.cancel()
            signal.raise_signal(number)
        return count
    late = threading.Timer(0.5, signal.pthread_kill, (threading.main_thread().ident, number))
    late.start()
    sys.settrace(count)
    ended = waits[how]()
    sys.settrace(None)
    late.join()
    assert ended is not False
    return lines >= last

moments = 0
while ends_by_line(moments + 1):
    moments += 1
print(moments)
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("how", ["wait", "comes_within"])
def test_a_signal_may_come_at_any_line(how: str, number: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, how, number],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert int(ended.stdout) > 0


TAKEN_BY_ANOTHER = """
import signal, sys, threading
from simulator.ending import Ending

how, number = sys.argv[1], signal.Signals[sys.argv[2]]
ending = Ending()
# It is this thread's own signal, so nothing wakes the main thread.
threading.Timer(0.3, signal.raise_signal, (number,)).start()
print(ending.wait() if how == "wait" else ending.comes_within(60))
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(("how", "said"), [("wait", "None"), ("comes_within", "True")])
def test_a_signal_that_another_thread_takes_ends_the_waiting(how: str, said: str, number: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TAKEN_BY_ANOTHER, how, number],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, said, "")


def test_without_a_signal_the_time_goes_by() -> None:
    program = "from simulator.ending import Ending; print(Ending().comes_within(0.2))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, "False")

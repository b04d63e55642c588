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

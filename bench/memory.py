"""The most memory that a process has taken."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def most_taken() -> int:
    """Return the most that this process has taken so far, in bytes.

    Linux quirk: what getrusage says begins with the most that the process had taken which started this one,
    and survives exec. The high-water mark in /proc is this program's own
    (https://man7.org/linux/man-pages/man5/proc_pid_status.5.html, VmHWM).
    """
    if _STATUS.exists():
        marks = (line.split() for line in _STATUS.read_text(encoding="ascii").splitlines())
        return next(int(mark[1]) * 1024 for mark in marks if mark[0] == "VmHWM:")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

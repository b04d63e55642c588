"""Runs another module until its parent ends, however that ends: `python -m simulator.leash MODULE …`."""

import os
import runpy
import signal
import sys
import threading


def _end_with_parent() -> None:
    # The parent holds the other end of our standard input, and even SIGKILL closes that. (A parent-death
    # signal would do the same, on Linux only.) Not sys.stdin, whose lock would stop the interpreter's end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, name="leash", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

"""`make fuzz`: rounds of the fuzzing tests, each with its own seed, until the time is over or one fails."""

import argparse
import os
import subprocess
import sys
import time

TESTS = ("tests/fuzz", "tests/e2e/test_hostile_requests.py", "tests/e2e/test_hostile_sequences.py")
_EXAMPLES = 150  # of each test in a round, which takes some minutes
_ROUNDS = 1000  # that one seed has before it would meet the next one's


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--examples", type=int, default=_EXAMPLES)
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    for number in range(_ROUNDS):
        seed = options.seed * _ROUNDS + number
        left = deadline - time.monotonic()
        if left <= 0:
            break
        print(f"round {number + 1}, --hypothesis-seed={seed}, {left / 60:.0f} minutes left", flush=True)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "--tb=short",
            "--show-capture=no",
            f"--hypothesis-seed={seed}",
            *TESTS,
        ]
        environ = {**os.environ, "FUZZ_EXAMPLES": str(options.examples)}
        if subprocess.run(command, env=environ, check=False).returncode:
            print(f"again: FUZZ_EXAMPLES={options.examples} {' '.join(command[1:])}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

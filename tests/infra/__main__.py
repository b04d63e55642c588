"""Checks what deploys the app: `python -m tests.infra`, part of `make check`."""

import sys

from tests.infra.rules import findings


def main() -> int:
    found = findings()
    print("\n".join(found) or "What deploys the app is in order.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""What ends a command, and with which exit code.

0 fine, 1 problems found, 2 wrong usage, 3 the app cannot be reached.
"""

FINE, PROBLEMS, WRONG_USAGE, UNREACHABLE = 0, 1, 2, 3


class Ended(Exception):
    """``sentence`` is shown to the person; it holds no secret."""

    exit_code = PROBLEMS

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class ProblemFound(Ended):
    """The app did what it could, and something is not as it should be."""


class NotNow(ProblemFound):
    """The app, or a service behind it, is away or asks to wait: the same later may end otherwise."""


class WrongUsage(Ended):
    """What was typed cannot be meant: the same again ends the same."""

    exit_code = WRONG_USAGE


class CannotReach(Ended):
    """The app, its key or its storage cannot be reached from here."""

    exit_code = UNREACHABLE


class NotThere(WrongUsage):
    """The app answers 404: ``kind`` is its word for what is not there."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind

"""Errors that a user can correct, and the exit code of each."""

import difflib
import enum
from collections.abc import Iterable


class ExitCode(enum.IntEnum):
    """The exit codes that scripts rely on."""

    DONE = 0
    FAILED = 1  # a gate or a verification failed
    WRONG = 2  # wrong usage, config or data
    BUG = 70  # an internal error, not a failed gate
    LOCKED = 75  # another run holds the lock
    INTERRUPTED = 130


class Interrupt(BaseException):
    """SIGINT or SIGTERM. Not a KeyboardInterrupt, which scikit-learn treats as the end of a training and swallows.

    The text says how to continue, if there is more to do than to run the command again.
    """


class GensetError(Exception):
    """A mistake or obstacle that the user can correct: shown without a traceback.

    `message` says what was expected and what was found, `where` gives the place, `hint` what to do.
    """

    exit_code = ExitCode.WRONG

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message, self.where, self.hint = message, where, hint

    def as_dict(self) -> dict[str, str]:
        """As JSON holds it."""
        return {"message": self.message, "where": self.where, "hint": self.hint}

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n  {self.hint}" if self.hint else text


class DamagedError(GensetError):
    """A file of a version is damaged or incomplete."""


class MissingPackageError(GensetError):
    """A package that only an extra installs is missing."""


class LockedError(GensetError):
    """Another run holds the lock of the output root."""

    exit_code = ExitCode.LOCKED


def did_you_mean(word: object, names: Iterable[object]) -> str:
    """ " (did you mean `x`?)", or nothing when no name is close."""
    if not isinstance(word, str):
        return ""
    close = difflib.get_close_matches(word, [str(name) for name in names], n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""

"""Errors through no fault of the code, each as one line that a user can act on.

IreneError
 ├─ UnknownNameError    a name that is not among the known ones; carries a suggestion
 ├─ CheckpointError     a file that cannot be trusted, read or fitted into the architecture
 ├─ BottleneckError     a layer that cannot be tapped
 ├─ DataError           rows, columns or labels that cannot be audited
 │   └─ UnreadableError   one input that cannot be read; an audit counts it and goes on
 ├─ EvidenceError       an evidence file that cannot be read, or two that cannot be compared
 └─ TrainingError       a fine-tuning run that diverged

Each message names the thing, the fact and the way out. Anything else that escapes is a bug and
shows its traceback.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class IreneError(Exception):
    """A user's mistake or a file's fault, told in one line; the command line exits with 1."""


class CheckpointError(IreneError):
    """A checkpoint cannot be trusted, read or fitted into the architecture."""


class BottleneckError(IreneError):
    """A layer does not exist or cannot be tapped."""


class DataError(IreneError):
    """Rows, columns or labels cannot be audited."""


class UnreadableError(DataError):
    """One input cannot be read: a file is missing or broken."""


class EvidenceError(IreneError):
    """An evidence file cannot be read, or two of them cannot be compared."""


class TrainingError(IreneError):
    """A fine-tuning run cannot go on."""


def in_one_line(error: Exception) -> str:
    """Return another library's error in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error: the fact, without its advice."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Join a stranger's names in one line: at most so many, without line breaks and control characters."""
    shown = ", ".join(names[:most]) + (", …" if len(names) > most else "")
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


class UnknownNameError(IreneError):
    """A name is not among the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        lowered = {candidate.lower(): candidate for candidate in names}
        close = get_close_matches(name.lower(), lowered, n=1)
        hint = f" Did you mean {lowered[close[0]]!r}?" if close else ""
        shown = ", ".join(names[:40]) + (f", … ({len(names)} in all)" if len(names) > 40 else "")
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {shown or 'none'}.")

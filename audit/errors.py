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
shows its traceback. What a message quotes of a file comes out as `visible` shows it.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from numbers import Rational, Real
from types import UnionType
from typing import Self

UNSEEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode's controls, directions, halves of characters, ends of lines, and what has no meaning of its own."""
BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0d\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that nobody sees; the two that choose how an emoji looks may stay."""
LONGEST = 1000
"""Characters of a name, or of another library's error, that a line quotes."""
_ISOLATED = re.compile("(\u2068[^\u2066-\u2069]*\u2069)")
"""A name that runs to the left and turns nothing around it (audit.evidence.numbers.named)."""


def visible(text: str) -> str:
    """Return a stranger's text with every character that is not seen, or that moves what is, spelled out: `\\x1b`.

    It is the one way in which what stands in a file comes to a terminal, a page, Markdown, JUnit or a drawing: no
    control, no end of a line, no change of direction, no half of a character, nothing without a width is left in it.
    """
    if text.isprintable() and (text.isascii() or not BLANK.search(text)):
        return text
    parts = _ISOLATED.split(text)  # every second one is between two isolates
    return "".join(
        f"{part[0]}{_spelled(part[1:-1])}{part[-1]}" if place % 2 and runs_left(part) else _spelled(part)
        for place, part in enumerate(parts)
    )


def runs_left(text: str) -> bool:
    """Return whether any letter of a text runs from the right to the left."""
    return any(unicodedata.bidirectional(mark) in {"R", "AL", "AN"} for mark in text)


def _spelled(text: str) -> str:
    return "".join(
        mark.encode("unicode_escape").decode() if unicodedata.category(mark) in UNSEEN or BLANK.match(mark) else mark
        for mark in text
    )


class IreneError(Exception):
    """A user's mistake or a file's fault, told in one line; the command line exits with 1."""

    def __str__(self) -> str:
        return visible(super().__str__())


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


def require_kind(
    given: object, kind: type | UnionType, named: str, way_out: str, error: type[IreneError] = IreneError
) -> None:
    """Raise an error in one line for an argument of another type than is wanted."""
    if not isinstance(given, kind):
        raise error(f"{named} of type {type(given).__name__}. {way_out}")


def require_number(what: str, given: object, least: float, *, whole: bool = True) -> None:
    """Raise an IreneError for what is no number, no whole one where that is wanted, or a smaller one than the least."""
    number = float(given) if isinstance(given, Real) and not isinstance(given, bool) else math.nan
    if not math.isfinite(number) or (whole and not number.is_integer()):
        raise IreneError(f"{what} is {given!r}. Give a {'whole ' if whole else ''}number, {least} or more.")
    if number < least:
        raise IreneError(f"{what} is {given}. Give {least} or more.")


def as_float(number: float) -> float:
    """Return a number as a float of Python's; one of NumPy's with fewer digits becomes what it is written as, 0.1."""
    return float(number) if isinstance(number, float | Rational) else float(str(number))


def require_seed(what: str, given: int) -> None:
    """Raise an IreneError for a whole number that NumPy and scikit-learn take for no seed."""
    if given >= 2**32:
        raise IreneError(f"{what} is {given}. Give one below 2³².")


def is_share(given: object) -> bool:
    """Return whether something is a number in [0, 1]; True and False are none."""
    return isinstance(given, Real) and not isinstance(given, bool) and 0 <= float(given) <= 1


def require_track(given: object) -> None:
    """Raise an IreneError for what shows no progress: it is no function."""
    if not callable(given):
        raise IreneError(f"What shows progress (track) is {given!r}. Give a function, or leave it out.")


def require_flag(what: str, given: object) -> None:
    """Raise an IreneError for anything but True and False: the text "no" would count as True."""
    if isinstance(given, str) or given not in (True, False):
        raise IreneError(f"{what} is {given!r}. Give True or False.")


def require_text(what: str, given: object) -> None:
    """Raise an IreneError for what is no text, and not None either."""
    if not isinstance(given, str | None):
        raise IreneError(f"{what} is {given!r}. Give a text, or None.")


def cut(text: str) -> str:
    """Return the beginning of a text that is too long for a line: a stranger's file may hold a name of megabytes."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def in_one_line(error: Exception) -> str:
    """Return another library's error in one line."""
    return cut(" ".join(str(error).split())) or type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error: the fact, without its advice."""
    return cut(next(iter(str(error).strip().splitlines()), type(error).__name__))


def listed(names: Sequence[str], most: int = 20) -> str:
    """Join a stranger's names in one line, at most so many, as `visible` shows them."""
    return visible(", ".join(map(cut, names[:most])) + (", …" if len(names) > most else ""))


class UnknownNameError(IreneError):
    """A name is not among the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = list(known)
        lowered = {candidate.lower(): candidate for candidate in names}
        longer = [one for one in lowered if name and one.startswith(name.lower())]
        close = get_close_matches(name.lower(), lowered, n=1) or (longer if len(longer) == 1 else [])
        hint = f" Did you mean {lowered[close[0]]!r}?" if close else ""
        shown = ", ".join(names[:40]) + (f", … ({len(names)} in all)" if len(names) > 40 else "")
        self._given = kind, name, names
        super().__init__(f"Unknown {kind} {name!r}.{hint} Known: {shown or 'none'}.")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, list[str]]]:
        return type(self), self._given  # or a worker's would not come back from it


def require_known(kind: str, given: object, known: Iterable[str]) -> None:
    """Raise an UnknownNameError for anything but one of the words that an option knows."""
    names = list(known)
    if not isinstance(given, str) or given not in names:
        raise UnknownNameError(kind, given if isinstance(given, str) else repr(given), names)

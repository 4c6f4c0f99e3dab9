"""Progress of long work: whoever calls decides how it is shown."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from audit.errors import IreneError

Item = TypeVar("Item")
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of known length, to show progress while its items are taken; the last argument is the label of the
progress bar."""


def require_track(given: object) -> None:
    """Raise an IreneError for what cannot be called."""
    if not callable(given):
        raise IreneError(f"What shows progress (track) is {given!r}. Give a function, or leave it out.")


def untracked(items: Iterable[Item], _length: int, _label: str) -> Iterable[Item]:
    """Show no progress."""
    return items

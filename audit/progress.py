"""Progress of long work: whoever calls decides how it is shown."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of known length, to show progress while its items are taken; the last argument is the label of the
progress bar."""


def untracked(items: Iterable[Item], _length: int, _label: str) -> Iterable[Item]:
    """Show no progress."""
    return items

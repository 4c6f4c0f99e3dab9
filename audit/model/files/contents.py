"""The tensors of a file in one flat list, wherever in its nested mappings they stand."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from audit.errors import CheckpointError
from audit.model.files.stand_ins import Array

DEEPEST = 6
"""Keys within keys that are looked into."""
MOST = 1_000_000
"""Keys in all: ten times those of the largest models. A mapping may stand in another many times."""


@dataclass(frozen=True)
class Entry:
    """One tensor of a file."""

    nest: tuple[str, ...]
    """Keys of the mappings around the one that holds it, from the outermost."""
    name: str
    """Its key there."""
    tensor: Tensor

    @property
    def key(self) -> str:
        """The whole way to it, dotted."""
        return ".".join((*self.nest, self.name))


def entries(path: Path, content: object) -> dict[str, Entry]:
    """Return all tensors of a file's content by their dotted keys; a CheckpointError if two have the same.

    Arrays of NumPy count. What stands under a key that is no text does not: an optimizer numbers its parameters.
    """
    found: dict[str, Entry] = {}
    if _size(content, DEEPEST, MOST) > MOST:
        raise CheckpointError(f"{path} holds more than {MOST:,} keys. Save model.state_dict() alone.")
    for entry in _within(content, (), DEEPEST):
        if entry.key in found:
            raise CheckpointError(f"{path} holds {entry.key!r} twice. Save model.state_dict() alone.")
        found[entry.key] = entry
    return found


def without_tensors(content: object) -> list[str]:
    """Return the outermost keys of a content under which no tensor stands."""
    if not isinstance(content, Mapping):
        return []
    return sorted(str(key) for key, value in content.items() if next(_within({"": value}, (), DEEPEST), None) is None)


def _size(content: object, depth: int, most: int) -> int:
    """Count the keys of nested mappings, no further than `most`."""
    count = 0
    if isinstance(content, Mapping) and depth:
        for value in content.values():
            count += 1 + _size(value, depth - 1, most - count)
            if count > most:
                break
    return count


def _within(content: object, nest: tuple[str, ...], depth: int) -> Iterator[Entry]:
    if not isinstance(content, Mapping) or not depth:
        return
    for key, value in content.items():
        if not isinstance(key, str):
            continue
        tensor = value.tensor if isinstance(value, Array) else value
        if isinstance(tensor, Tensor):
            yield Entry(nest, key, tensor)
        else:
            yield from _within(value, (*nest, key), depth - 1)

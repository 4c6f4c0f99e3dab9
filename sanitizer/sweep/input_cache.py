"""A cache of decoded inputs in memory, for work that goes over the same rows again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audit.data.labelled import Inputs, LabelledData
from audit.errors import UnreadableError
from audit.progress import Track, untracked
from sanitizer.options import BUDGET

READ_TWICE = 3
"""Rows that are read again: inputs that differ each time are not cached."""


class CachedInputs:
    """Decoded inputs of one shape; what could not be read stays unreadable."""

    def __init__(self, decoded: Tensor, unreadable: Mapping[int, str]) -> None:
        self._decoded, self._unreadable = decoded, unreadable

    def __len__(self) -> int:
        """Return n."""
        return len(self._decoded)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return a copy of one input: a model may change what it is given.

        Raises:
            UnreadableError: It could not be read.
        """
        if row in self._unreadable:
            raise UnreadableError(self._unreadable[row])
        return self._decoded[row].clone()

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self._decoded.nbytes


def cache_inputs(
    data: LabelledData, *, budget: int = BUDGET, workers: int = 0, track: Track = untracked
) -> tuple[LabelledData, int]:
    """Return the same rows with their inputs in memory, and the bytes that they take there.

    Rows that need more than the budget are returned as they are, 0 bytes; so are inputs of unlike shapes, and those
    that come out differently each time, as under a random transform.

    Args:
        data: Its rows.
        budget: Bytes.
        workers: Processes that read inputs, beside this one.
        track: Shows progress.
    """
    first = _first(data.inputs)
    if first is None or first.nbytes * len(data) > budget or not _steady(data.inputs):
        return data, 0
    decoded = torch.zeros(len(data), *first.shape, dtype=first.dtype)
    unreadable: dict[int, str] = {}
    loader = DataLoader(_Readable(data.inputs), batch_size=64, num_workers=workers, collate_fn=_as_they_are)
    for block in track(loader, len(loader), "inputs"):
        for row, x in block:
            if isinstance(x, str):
                unreadable[row] = x
            elif (x.shape, x.dtype) != (first.shape, first.dtype):
                return data, 0
            else:
                decoded[row] = x
    inputs = CachedInputs(decoded, unreadable)
    return replace(data, inputs=inputs), inputs.size


class _Readable(Dataset[tuple[int, Tensor | str]]):
    """Inputs with their positions; for one that cannot be read, why."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, row: int) -> tuple[int, Tensor | str]:
        try:
            return row, self._inputs[row]
        except UnreadableError as error:
            return row, str(error)


def _as_they_are(rows: Sequence[tuple[int, Tensor | str]]) -> list[tuple[int, Tensor | str]]:
    return list(rows)


def _first(inputs: Inputs) -> Tensor | None:
    readable = _Readable(inputs)
    return next((x for _, x in (readable[row] for row in range(len(readable))) if isinstance(x, Tensor)), None)


def _steady(inputs: Inputs) -> bool:
    """Return whether the first rows come out the same when they are read again."""
    readable = _Readable(inputs)
    for row in range(min(READ_TWICE, len(readable))):
        (_, once), (_, again) = readable[row], readable[row]
        if isinstance(once, Tensor) and isinstance(again, Tensor) and not torch.equal(once, again):
            return False
    return True

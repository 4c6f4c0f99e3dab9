"""A cache of decoded inputs in memory, for work that goes over the same rows again and again."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from audit.data.labelled import LabelledData
from audit.data.loading import Readable, differ_when_read_again
from audit.errors import UnreadableError
from audit.progress import Track, untracked
from sanitizer.options import BUDGET


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


def cache_inputs(
    data: LabelledData, *, budget: int = BUDGET, workers: int = 0, track: Track = untracked
) -> tuple[LabelledData, int]:
    """Return the same rows with their inputs in memory, and the bytes that they take there.

    Rows that need more bytes than the budget are returned as they are, 0 bytes; so are inputs of unlike shapes, and
    those that come out differently each time, as under a random transform, and inputs of several tensors.
    """
    readable = Readable(data.inputs)
    read = (x for _, x in (readable[row] for row in range(len(data))))
    first = next((x for x in read if not isinstance(x, UnreadableError)), None)
    if not isinstance(first, Tensor) or first.nbytes * len(data) > budget or differ_when_read_again(data.inputs):
        return data, 0
    decoded = torch.zeros(len(data), *first.shape, dtype=first.dtype)
    unreadable: dict[int, str] = {}
    loader = DataLoader(readable, batch_size=64, num_workers=workers, collate_fn=list)
    for block in track(loader, len(loader), "inputs"):
        for row, x in block:
            if isinstance(x, UnreadableError):
                unreadable[row] = str(x)
            elif not isinstance(x, Tensor) or (x.shape, x.dtype) != (first.shape, first.dtype):
                return data, 0
            else:
                decoded[row] = x
    return replace(data, inputs=CachedInputs(decoded, unreadable)), decoded.nbytes

"""Rows in batches, as training and its checks go over them."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, StackDataset

from audit.data.columns import Ints
from audit.data.labelled import LabelledData


def batches(
    data: LabelledData, columns: Sequence[str], order: Sequence[Ints], *, workers: int = 0
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield inputs (b, …) and their labels {column: (b,) int64}, the rows of each batch as `order` lists them."""
    labels = StackDataset(**{name: data.codes(name).astype(np.int64) for name in columns})  # type: ignore[arg-type]  # any sequences
    rows = StackDataset(data.inputs, labels)  # type: ignore[arg-type]
    yield from DataLoader(rows, batch_sampler=[one.tolist() for one in order], num_workers=workers)


def in_order(n: int, size: int) -> list[Ints]:
    """Return the rows 0 … n − 1 as they stand, in batches of at most `size`."""
    return np.array_split(np.arange(n), max(1, -(-n // size)))

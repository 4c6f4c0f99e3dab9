"""Rows in batches, as training and its checks go over them."""

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audit.data.columns import Ints
from audit.data.labelled import LabelledData


def batches(
    data: LabelledData, columns: Sequence[str], order: Sequence[Ints], *, workers: int = 0
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield inputs (b, …) and their labels {column: (b,) int64}, the rows of each batch as `order` lists them.

    Args:
        data: Its rows.
        columns: Whose labels.
        order: Rows of each batch, (b,) each.
        workers: Processes that read inputs, beside this one.
    """
    chosen = [[int(row) for row in rows] for rows in order]
    loader: DataLoader[tuple[Tensor, dict[str, int]]] = DataLoader(
        _Rows(data, columns), batch_sampler=chosen, num_workers=workers
    )
    yield from loader


def in_order(n: int, size: int) -> list[Ints]:
    """Return the rows 0 … n − 1 as they stand, in batches of at most `size`."""
    return np.array_split(np.arange(n), max(1, -(-n // size)))


class _Rows(Dataset[tuple[Tensor, dict[str, int]]]):
    def __init__(self, data: LabelledData, columns: Sequence[str]) -> None:
        self._data = data
        self._labels = {name: data.codes(name) for name in columns}

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, row: int) -> tuple[Tensor, dict[str, int]]:
        return self._data.inputs[row], {name: int(codes[row]) for name, codes in self._labels.items()}

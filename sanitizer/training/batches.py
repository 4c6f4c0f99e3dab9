"""Rows in batches, as training and its checks go over them, and images that change each time they are read.

Augmentation works against removal that holds on the training rows alone.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, StackDataset

from audit.data.columns import Ints, Quantity
from audit.data.labelled import Inputs, LabelledData
from audit.data.loading import Told
from audit.data.model_input import ModelInput, sizes
from audit.errors import DataError
from sanitizer.job import Augment

MOST = 8
"""A shift is at most the side over this."""


def batches(
    data: LabelledData, columns: Sequence[str], order: Sequence[Ints], *, workers: int = 0
) -> Iterator[tuple[ModelInput, dict[str, Tensor]]]:
    """Yield inputs (b, …) each and their labels {column: (b,)}, the rows of each batch as `order` lists them.

    Labels are classes in int64, or numbers in float32 where the column is a quantity.
    """
    codes = {name: labels_of(data, name) for name in columns}
    rows = StackDataset(Told(data.inputs), StackDataset(**codes))  # type: ignore[arg-type]  # takes any sequences
    for x, labels in DataLoader(rows, batch_sampler=[one.tolist() for one in order], num_workers=workers):
        yield tuple(x) if isinstance(x, list) else x, labels  # torch makes a list of a tuple


def labels_of(data: LabelledData, name: str) -> NDArray[np.int64] | NDArray[np.float32]:
    """Return the labels of a column, (n,): classes, or numbers."""
    column = data.columns.get(name)
    return column.values.astype(np.float32) if isinstance(column, Quantity) else data.codes(name).astype(np.int64)


def augmented(data: LabelledData, augment: Augment) -> LabelledData:
    """Return the same rows, whose images change each time they are read, by torch's own random numbers."""
    if augment == "none":
        return data
    first = data.inputs[0]
    if not isinstance(first, Tensor) or first.ndim != 3:
        raise DataError(f"Rows of shape {sizes(first)} are no images (c, h, w). Leave --augment out.")
    from torchvision.transforms import v2  # noqa: PLC0415 - torchvision takes a second to import

    h, w = first.shape[1:]
    shift = v2.RandomCrop((h, w), padding=(w // MOST, h // MOST), padding_mode="reflect")
    change = v2.Compose([shift, v2.RandomHorizontalFlip()]) if augment == "flip" else shift
    return replace(data, inputs=_Changing(data.inputs, change))


class _Changing:
    def __init__(self, inputs: Inputs, change: Callable[[Tensor], Tensor]) -> None:
        self._inputs, self._change = inputs, change

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, row: int, /) -> Tensor:
        return self._change(torch.as_tensor(self._inputs[row]))

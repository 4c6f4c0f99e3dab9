"""Augmentation: images that change each time they are read, against removal that holds on few rows alone."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from audit.data.labelled import Inputs, LabelledData
from audit.errors import DataError
from sanitizer.job import Augment

MOST = 8
"""A shift is at most the side over this."""


def augmented(data: LabelledData, augment: Augment) -> LabelledData:
    """Return the same rows, whose images change each time they are read, by torch's own random numbers.

    Raises:
        DataError: The rows are no images.
    """
    if augment == "none":
        return data
    shape = data.inputs[0].shape
    if len(shape) != 3:
        raise DataError(f"Rows of shape {list(shape)} are no images (c, h, w). Leave --augment out.")
    from torchvision.transforms import v2  # noqa: PLC0415 - torchvision takes a second to import

    h, w = shape[1:]
    steps: list[Callable[[Tensor], Tensor]] = [
        v2.RandomCrop((h, w), padding=(w // MOST, h // MOST), padding_mode="reflect")
    ]
    if augment == "flip":
        steps.append(v2.RandomHorizontalFlip())
    return replace(data, inputs=_Changing(data.inputs, v2.Compose(steps)))


class _Changing:
    def __init__(self, inputs: Inputs, change: Callable[[Tensor], Tensor]) -> None:
        self._inputs, self._change = inputs, change

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, row: int, /) -> Tensor:
        return self._change(self._inputs[row])

"""Biased-MNIST: real handwritten digits on a background whose colour follows the digit as often as asked.

Source: Bahng et al., Learning De-biased Representations with Biased Representations, ICML 2020.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.data.columns import Column, Ints
from audit.data.labelled import LabelledData, Part
from audit.errors import DataError, first_line

PALETTE = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (225, 225, 0),
    "magenta": (225, 0, 225),
    "cyan": (0, 255, 255),
    "orange": (255, 128, 0),
    "rose": (255, 0, 128),
    "violet": (128, 0, 255),
    "grey": (128, 128, 128),
}
"""Background colours in RGB: the first goes with digit 0, and so on."""
UNCORRELATED = 0.1


class ColouredImages:
    """Images (n, h, w) of strokes, each painted on its background when it is asked for."""

    def __init__(self, strokes: NDArray[np.uint8], colours: Ints) -> None:
        self._strokes, self._colours = strokes, colours
        self._palette = torch.tensor(list(PALETTE.values()), dtype=torch.float32)

    def __len__(self) -> int:
        return len(self._strokes)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one image, (3, h, w), in [-1, 1]."""
        return paint(torch.from_numpy(self._strokes[row]), self._palette[self._colours[row]])


def paint(strokes: Tensor, colour: Tensor) -> Tensor:
    """Return an image, (3, h, w) in [-1, 1]: strokes, (h, w), in white on a background colour, (3,) in 0–255."""
    background = (strokes == 0).unsqueeze(0)  # (1, h, w)
    image = torch.where(background, colour[:, None, None], torch.tensor(255.0))
    return image / 127.5 - 1


def assign_colours(digits: Ints, rho: float, *, seed: int) -> Ints:
    """Return a colour for each digit, (n,): `int(n_c · rho)` of a class get its own, the rest the nine others.

    The rest is cut in chunks of `ceil(rest / 9)`; rho = .1 is uncorrelated. Raises DataError if rho is no share.
    """
    if not 0 <= rho <= 1:
        raise DataError(f"rho is {rho}; it is the share of a digit's images in its own colour. Give 0 to 1.")
    generator = np.random.default_rng(seed)
    colours = digits.copy()
    for digit in range(len(PALETTE)):
        rows = generator.permutation(np.flatnonzero(digits == digit))
        rest = rows[int(len(rows) * rho) :]
        others = generator.permutation(np.delete(np.arange(len(PALETTE)), digit))
        chunk = -(-len(rest) // len(others))  # rounded up
        for start, colour in zip(range(0, len(rest), chunk or 1), others, strict=False):
            colours[rest[start : start + chunk]] = colour
    return colours


def coloured(
    name: str, part: Part, strokes: NDArray[np.uint8], digits: Ints, rho: float | None, seed: int
) -> LabelledData:
    """Paint images (n, h, w) of digits (n,); by default rho is .1, uncorrelated."""
    rho = UNCORRELATED if rho is None else rho
    colours = assign_colours(digits, rho, seed=seed)
    return LabelledData(
        name=name,
        inputs=ColouredImages(strokes, colours),
        columns={
            "digit": Column(digits, tuple(str(digit) for digit in range(10))),
            "colour": Column(colours, tuple(PALETTE)),
        },
        options={"part": part, "rho": rho, "seed": seed},
    )


def load(part: Part, *, data_root: str = "data", rho: float | None = None, seed: int = 0) -> LabelledData:
    """Open the real MNIST on coloured backgrounds: 60,000 training images as `train` rows, 10,000 others as `audit`.

    Args:
        data_root: Folder that holds, or will hold, torchvision's `MNIST/raw`.
        rho: Share of a digit's images in its own colour; by default .1, uncorrelated.
        seed: Of the colours.
    """
    from torchvision.datasets import MNIST  # noqa: PLC0415 - torchvision takes a second to import

    try:
        mnist = MNIST(data_root, train=part == "train", download=True)
    except Exception as error:  # a half-made folder fails in as many ways as there are bytes
        raise DataError(
            f"No whole MNIST under {Path(data_root)} and no download ({first_line(error)}). "
            "Give another folder with --data-root."
        ) from None
    return coloured("biased-mnist", part, mnist.data.numpy(), mnist.targets.numpy().astype(np.int64), rho, seed)

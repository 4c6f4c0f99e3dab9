"""What rows in Python are made of: the value of one row, inputs by position, and labels."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.errors import DataError, UnknownNameError, UnreadableError, in_one_line
from audit.plugins import users_code

Value = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
Named = Mapping[str, object] | Sequence[str | None]
"""Values by column, or names of parts of a row."""


@dataclass(frozen=True)
class Rows:
    """n rows."""

    inputs: Any
    """By position; what each is, `Inputs` of audit.data.labelled says."""
    columns: Mapping[str, object]
    """Values of each row by column."""
    notes: tuple[str, ...] = ()


class ByFunction:
    """Inputs by a function of the row."""

    def __init__(self, n: int, read: Callable[[int], object]) -> None:
        self._n, self._read = n, read

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, row: int, /) -> object:
        return self._read(row)


def plain(name: str, values: object) -> object:
    """Return labels as Python or NumPy holds them, out of a tensor, or out of one a row; any others as they are.

    Raises DataError for a tensor of which nothing can be read.
    """
    try:
        if isinstance(values, Tensor):
            return as_array(values)
        if isinstance(values, pd.Series) and _holds_objects(values):
            return pd.Series([_single(one) for one in values], values.index, dtype=object)
        is_row = isinstance(values, np.ndarray) and values.ndim == 1 and _holds_objects(values)
        if is_row or isinstance(values, list | tuple):
            return [_single(one) for one in cast(Iterable[object], values)]
        return values
    except (TypeError, RuntimeError) as error:
        raise DataError(
            f"Column {name!r} is a tensor that cannot be read: {in_one_line(error)}. Give plain numbers."
        ) from None


def _single(cell: object) -> object:
    """Return a truth value of NumPy's, or the one value of a tensor or array without axes, as Python's own."""
    if isinstance(cell, Tensor) and cell.dim() == 0:
        return as_array(cell).item()
    if isinstance(cell, np.ndarray) and cell.ndim == 0:
        cell = cell[()]
    return bool(cell) if isinstance(cell, np.bool_) else cell


def _holds_objects(values: object) -> bool:
    return isinstance(values, np.ndarray | pd.Series) and values.dtype == object


def side_by_side(values: object) -> object:
    """Return the vectors that a column of objects holds, one a row, as one array, (n, …); anything else as it is."""
    if not _holds_objects(values):
        return values
    try:
        array = np.array([as_array(one) if isinstance(one, Tensor) else one for one in cast(Iterable[object], values)])
    except (TypeError, ValueError, RuntimeError):  # of unlike lengths, or without numbers
        return values
    return array if array.ndim > 1 and array.dtype.kind in "biuf" else values


def as_array(values: Tensor) -> NDArray[np.generic]:
    """Return a tensor's numbers, wherever it is; those of bfloat16 and shorter as float32."""
    is_known = not values.is_floating_point() or values.dtype in (torch.float16, torch.float32, torch.float64)
    array: NDArray[np.generic] = values.detach().to("cpu", values.dtype if is_known else torch.float32).numpy()
    return array


def as_tensor(value: object) -> Tensor:
    """Return a tensor of a value's own kind of numbers; those that PyTorch hardly knows become the next larger.

    Raises DataError for what is no numbers: None in one row alone, or a text.
    """
    if isinstance(value, Tensor):
        return value
    try:
        array = np.array(value)  # a copy, that nothing else may change
    except ValueError:  # lists of unlike lengths
        array = np.array(None)
    if array.dtype.kind not in "biuf":
        raise DataError(
            f"The input of a row is a {type(value).__name__} without numbers side by side, and a model takes tensors "
            "of them. Give every row such."
        )
    kinds = {"u2": np.int32, "u4": np.int64, "u8": np.int64, "f16": np.float64}
    wider = kinds.get(array.dtype.str[1:])
    return torch.from_numpy(array.astype(wider or array.dtype.newbyteorder("="), copy=False))


def parts_of(value: object) -> list[Tensor]:
    """Return the tensors of one input."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    held = value if isinstance(value, tuple) else (value,)
    return [one for one in held if isinstance(one, Tensor)]


def named_parts(columns: Sequence[str | None], known: Iterable[object]) -> tuple[str, ...]:
    """Return the names that were given of parts of a row; raise an UnknownNameError for one that no row has."""
    names = tuple(name for name in columns if name is not None)
    present = [str(one) for one in known]
    for name in names:
        if name not in present:
            raise UnknownNameError("column of a row", str(name), present)
    return names


def first_row(items: Any) -> object:
    """Return the first row; None if there is none, or it cannot be read."""
    try:
        with users_code("The input of row 0", DataError):
            return items[0] if len(items) else None
    except UnreadableError:
        return None

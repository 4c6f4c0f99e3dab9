"""Rows as they are held in Python: arrays, frames, datasets and loaders become inputs by position, and labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import data as torch_data

from audit.data.in_python.hugging_face import is_hugging_face, of_hugging_face
from audit.data.in_python.items import of_items
from audit.data.in_python.loader import of_loader
from audit.data.in_python.values import (
    ByFunction,
    Named,
    Rows,
    as_tensor,
    first_row,
    named_parts,
    parts_of,
    plain,
    side_by_side,
)
from audit.errors import DataError, in_one_line, listed
from audit.plugins import users_code

Columns = Mapping[str, object] | pd.DataFrame | Sequence[str | None] | str
"""Values by column, or names of parts of a row."""
INSTEAD = "irene.labelled(inputs, columns)"
BYTES = "the inputs are whole numbers of 8 bits, as given: nothing was scaled to [0, 1]"


def rows_of(inputs: object, columns: Columns) -> Rows:
    """Take inputs and labels as people hold them.

    Args:
        inputs: A tensor or array (n, …); a mapping of these; a frame of numbers; a list or any dataset by position, of
            inputs or of rows that hold the labels too; a DataLoader of such a dataset.
        columns: Values by column name; or, where rows hold them, their names: of a row that is a tuple, of the parts
            behind the first, which is the input, and None for a part that is neither; of a row that is a mapping, of
            its keys, and the other tensors are the input.

    Raises DataError, with what to write instead, for anything else.
    """
    if isinstance(columns, str):
        columns = (columns,)
    if isinstance(columns, pd.DataFrame):
        columns = {str(name): columns[name] for name in columns}
    _require_rows(inputs)
    notes: tuple[str, ...] = ()
    if isinstance(inputs, torch_data.DataLoader):
        _require_rows(inputs.dataset)
        inputs, notes = of_loader(inputs)
    if isinstance(inputs, pd.DataFrame):
        rows = _of_frame(inputs, columns)
    elif is_hugging_face(inputs):
        rows = of_hugging_face(inputs, columns)
    elif isinstance(inputs, Tensor | np.ndarray | pd.Series | Mapping):
        rows = _of_arrays(inputs, columns)
    else:
        _require_length(inputs)
        if isinstance(inputs, tuple) and inputs and all(isinstance(one, Tensor | np.ndarray) for one in inputs):
            raise DataError(
                f"A tuple of {len(inputs)} arrays does not say which argument of the model each is. Give them by name: "
                "irene.labelled({'x': first, 'mask': second}, columns); or rows that are tuples: "
                "irene.labelled(torch.utils.data.TensorDataset(first, second), columns)."
            )
        rows = of_items(cast(Sequence[object], inputs), columns)
    first = first_row(rows.inputs)
    if first is not None and any(part.dtype == torch.uint8 and part.dim() > 1 for part in parts_of(first)):
        notes += (BYTES,)
    columns = {name: plain(name, values) for name, values in rows.columns.items()}
    return Rows(rows.inputs, columns, (*notes, *rows.notes))


def _require_length(inputs: object) -> None:
    with users_code("The length of the inputs", DataError):
        try:
            len(cast(Sequence[object], inputs))
        except (TypeError, ValueError, OverflowError) as error:  # Python's own words on what __len__ returned
            raise DataError(
                f"The inputs have no length: {in_one_line(error)}. Let `len` return their number."
            ) from None


def _require_rows(inputs: object) -> None:
    if (told := _refused(inputs)) is not None:
        raise DataError(told)


def _refused(inputs: object) -> str | None:
    """Return what to write instead of something that holds no rows by position."""
    kinds = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(inputs).__mro__}
    name = type(inputs).__name__
    if {"lightning.LightningDataModule", "pytorch_lightning.LightningDataModule"} & kinds:
        return (
            f"{name} holds rows for several ends. Write module.setup('test') and give one of its loaders: "
            "irene.labelled(module.test_dataloader(), columns)."
        )
    if "datasets.DatasetDict" in kinds or "datasets.IterableDatasetDict" in kinds:
        parts = listed([str(one) for one in cast(Mapping[str, object], inputs)], 5)
        return f"A {name} holds several data sets: {parts}. Give one of them: irene.labelled(data['test'], columns)."
    if isinstance(inputs, torch_data.IterableDataset) or "datasets.IterableDataset" in kinds:
        return f"{name} gives its rows in a stream, and an audit reads rows by position. Give list(dataset) instead."
    if isinstance(inputs, str | bytes) or (not isinstance(inputs, Tensor) and "pathlib.Path" in kinds):
        return f"{str(inputs)[:60]!r} is a text, not rows. Files are read by `irene audit MODEL --data PATH`."
    if not isinstance(inputs, torch_data.DataLoader) and not {"__len__", "__getitem__"} <= {*dir(type(inputs))}:
        return (
            f"A {name} holds no rows by position. Give a tensor, an array, a list or a dataset with `len` and `[]`: "
            f"{INSTEAD}."
        )
    return None


def _of_frame(frame: pd.DataFrame, columns: Named) -> Rows:
    """Return a frame's numbers as inputs; labels that are named by their column are none of these."""
    named = () if isinstance(columns, Mapping) else named_parts(columns, frame.columns)
    features = frame.drop(columns=list(named))
    for name, cells in features.items():
        if not pd.api.types.is_numeric_dtype(cells) or cells.isna().any():
            fact = "holds no numbers" if not pd.api.types.is_numeric_dtype(cells) else "has empty cells"
            raise DataError(
                f"Column {str(name)!r} of the frame {fact}, and a model takes numbers. Name it among the labels, or "
                "encode the frame as for training: irene.labelled(frame[features], frame[labels])."
            )
    labels = columns if isinstance(columns, Mapping) else {name: frame[name] for name in named}
    note = f"the inputs are the frame's columns {listed([str(one) for one in features.columns])}"
    return Rows(ByFunction(len(frame), _row_of_array(features.to_numpy())), labels, () if not named else (note,))


def _of_arrays(inputs: object, columns: Named) -> Rows:
    """Return rows of an array, (n, …), or of several by name."""
    if not isinstance(columns, Mapping):
        raise DataError(
            "Arrays hold no labels by name. Give the values: irene.labelled(x, {'gender': gender}), of one value a row."
        )
    if isinstance(inputs, Mapping):
        readers = {str(name): _row_of_array(_array(one)) for name, one in inputs.items()}
        lengths = {len(_array(one)) for one in inputs.values()}
        if len(lengths) != 1:
            told = listed([str(one) for one in sorted(lengths)])
            raise DataError(f"The inputs differ in their number of rows: {told}. Give each the same.")
        return Rows(ByFunction(lengths.pop(), lambda row: {name: read(row) for name, read in readers.items()}), columns)
    array = _array(inputs)
    return Rows(array if isinstance(array, Tensor) else ByFunction(len(array), _row_of_array(array)), columns)


def _array(values: object) -> Tensor | NDArray[np.generic]:
    array = values if isinstance(values, Tensor) else np.asarray(side_by_side(values))
    if array.ndim < 1 or (isinstance(array, np.ndarray) and array.dtype.kind not in "biuf"):
        fact = "is a single number" if array.ndim < 1 else f"is of {array.dtype}"
        raise DataError(f"An array of the inputs {fact}. Give numbers of n rows, (n, …): {INSTEAD}.")
    return array


def _row_of_array(array: Tensor | NDArray[np.generic]) -> Callable[[int], Tensor]:
    return lambda row: as_tensor(array[row])

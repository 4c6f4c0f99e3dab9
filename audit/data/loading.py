"""Inputs in batches; those that cannot be read are left out, and the others keep their row numbers."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audit.data.labelled import Inputs, LabelledData
from audit.data.model_input import ModelInput, digest, one_row, stacked
from audit.errors import DataError, UnreadableError
from audit.plugins import users_code

REREAD = 32
"""Rows that are read twice, from all over the data: of a flip of one in ten, one differs in 499 of 500 data sets."""
UNREADABLE = "unreadable"
"""The option of rows that tells how many others could not be read."""
Read = tuple[int, ModelInput | UnreadableError]
"""The row of an input, and the input, or why it cannot be read."""


def batches(inputs: Inputs, *, batch_size: int, workers: int, rows: range | None = None) -> DataLoader[Read]:
    """Return a loader of batches: the rows that could be read, and their inputs, (b, …), if these have one shape.

    It goes over all rows, or over some.
    """
    return DataLoader(Readable(inputs), batch_size=batch_size, num_workers=workers, collate_fn=_stacked, sampler=rows)


def first_readable(data: LabelledData) -> ModelInput:
    """Return the first input that can be read, without a batch dimension. Raises DataError if there is none."""
    readable = Readable(data.inputs)
    for row in range(len(data)):
        x = readable[row][1]
        if not isinstance(x, UnreadableError):
            return x
    raise none_readable(data)


def readable(data: LabelledData, *, workers: int = 0) -> LabelledData:
    """Return the rows whose inputs can be read, each of which is read for it; how many cannot is among its options.

    Raises DataError if there is none.
    """
    if isinstance(data.inputs, Tensor) or not len(data):
        return data
    loader = DataLoader(Readable(data.inputs), batch_size=64, num_workers=workers, collate_fn=list)
    rows = [row for block in loader for row, x in block if not isinstance(x, UnreadableError)]
    if not rows:
        raise none_readable(data)
    if len(rows) == len(data):
        return data
    return replace(data.take(np.array(rows)), options={**data.options, UNREADABLE: len(data) - len(rows)})


def none_readable(data: LabelledData) -> DataError:
    """Return the error of data without any readable input."""
    return DataError(f"None of the {len(data)} inputs of {data.name} can be read. Check the files.")


def differ_when_read_again(inputs: Inputs, *, rows: int = REREAD) -> bool:
    """Return whether rows come out differently each time that they are read, as those of a random transform do."""
    readable = Readable(inputs)
    for place in np.unique(np.linspace(0, len(readable) - 1, rows).astype(np.int64)):
        once, again = readable[int(place)][1], readable[int(place)][1]
        if isinstance(once, UnreadableError) or isinstance(again, UnreadableError):
            continue
        if digest(once) != digest(again):
            return True
    return False


def have_same_inputs(data: LabelledData, other: LabelledData, *, rows: int = REREAD) -> bool:
    """Return whether as many rows have the same inputs, by a few of them from all over the data."""
    ours, theirs = Readable(data.inputs), Readable(other.inputs)
    if len(ours) != len(theirs):
        return False
    places = np.unique(np.linspace(0, len(ours) - 1, rows).astype(np.int64))
    pairs = [(ours[int(place)][1], theirs[int(place)][1]) for place in places]
    read = [(x, z) for x, z in pairs if not isinstance(x, UnreadableError) and not isinstance(z, UnreadableError)]
    return bool(read) and all(digest(x) == digest(z) for x, z in read)


def require_steady(data: LabelledData) -> None:
    """Raise a DataError if rows come out differently each time that they are read."""
    if differ_when_read_again(data.inputs):
        raise DataError(
            f"The inputs of {data.name} differ each time that they are read: a transform draws by chance, as those of "
            "training do, which would blur what can be read. Give them as the model is used: with the transform of "
            "evaluation."
        )


class Told(Dataset[ModelInput]):
    """Inputs that are what a model takes; whatever a user's code raises on the way is told in one line."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs

    def __len__(self) -> int:
        """Return n."""
        return len(self._inputs)

    def __getitem__(self, row: int) -> ModelInput:
        """Return one input. Raises DataError if there is none; UnreadableError if its file cannot be read."""
        try:
            return one_row(self._inputs[row])
        except (Exception, SystemExit):  # a block around each row would take longer than the row
            with users_code(f"The input of row {row}", DataError):
                raise


class Readable(Dataset[Read]):
    """Inputs with their rows; for one that cannot be read, why."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = Told(inputs)

    def __len__(self) -> int:
        """Return n."""
        return len(self._inputs)

    def __getitem__(self, row: int) -> Read:
        """Return one input, or why it cannot be read."""
        try:
            return row, self._inputs[row]
        except UnreadableError as error:
            return row, error


def _stacked(read: Sequence[Read]) -> tuple[list[int], ModelInput]:
    found = [(row, x) for row, x in read if not isinstance(x, UnreadableError)]
    return [row for row, _ in found], stacked([x for _, x in found]) if found else torch.empty(0)

"""The labelled rows that an audit reads and a sanitizer trains on."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audit.errors import DataError, UnknownNameError
from audit.naming import call, resolve

Ints = NDArray[np.int64]
Part = Literal["train", "audit"]
"""`train` rows may shape a model; `audit` rows are for attackers alone."""

DATASETS = {
    "digits": "audit.datasets.digits:load",
    "biased-mnist": "audit.datasets.biased_mnist:load",
    "celeba": "audit.datasets.celeba:load",
}
MIN_ROWS = 10
"""Fewer rows of a class than this in the attackers' training, selection or test rows say nothing."""


class Inputs(Protocol):
    """Model inputs by position."""

    def __len__(self) -> int:
        """Return n."""

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one input without a batch dimension."""


@dataclass(frozen=True)
class Column:
    """A label of every row."""

    codes: Ints
    """Class of each row, (n,), positions in `classes`."""
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LabelledData:
    """n inputs with their labels; a factory of the user's returns this."""

    name: str
    inputs: Inputs
    columns: Mapping[str, Column]
    group: NDArray[Any] | None = None
    """What must not be split, (n,): a person, a source image."""
    group_name: str | None = None
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """What made these rows; goes into the evidence."""

    def __post_init__(self) -> None:
        n = len(self.inputs)
        lengths = {name: len(column.codes) for name, column in self.columns.items()}
        if self.group is not None:
            lengths["group"] = len(self.group)
        for name, length in lengths.items():
            if length != n:
                raise DataError(f"{self.name} has {n} inputs and {length} values of {name!r}. Give one value a row.")
        for name, option in self.options.items():
            if not isinstance(option, str | int | float | bool | None):
                raise DataError(
                    f"Option {name!r} of {self.name} is a {type(option).__name__}, which the evidence cannot hold. "
                    "Give text, a number or None."
                )
        for name, column in self.columns.items():
            codes = column.codes
            if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "iu":
                raise DataError(f"Column {name!r} of {self.name} holds no integers. Give a NumPy array of int64.")
            if n and not 0 <= codes.min() <= codes.max() < len(column.classes):
                raise DataError(
                    f"Column {name!r} of {self.name} has codes from {codes.min()} to {codes.max()} and "
                    f"{len(column.classes)} classes. Give positions in its classes."
                )

    def __len__(self) -> int:
        """Return n."""
        return len(self.inputs)

    def column(self, name: str, kind: str) -> Column:
        """Return a column by name.

        Raises:
            UnknownNameError: There is no such column.
            DataError: All rows have the same class.
        """
        if name not in self.columns:
            raise UnknownNameError(f"{kind} column of {self.name}", name, self.columns)
        column = self.columns[name]
        present = np.unique(column.codes)
        if len(present) < 2:
            only = column.classes[present[0]] if len(present) else "no value"
            raise DataError(
                f"{kind.capitalize()} column {name!r} has one class only ({only}) in these {len(self)} rows, "
                "so nothing can be told apart. Choose another column or more rows."
            )
        return column

    def groups(self) -> Ints:
        """Return the group of each row as a number, (n,); every row its own where none is given."""
        if self.group is None:
            return np.arange(len(self), dtype=np.int64)
        return np.unique(self.group, return_inverse=True)[1].astype(np.int64)

    def take(self, rows: Ints) -> "LabelledData":
        """Return the given rows, (m,), in that order."""
        return replace(
            self,
            inputs=_Chosen(self.inputs, rows),
            columns={name: Column(c.codes[rows], c.classes) for name, c in self.columns.items()},
            group=None if self.group is None else self.group[rows],
        )

    def limited(self, rows: int, *, seed: int) -> "LabelledData":
        """Return at most `rows` rows, whole groups in a seeded random order."""
        if len(self) <= rows:
            return self
        groups = self.groups()
        order = np.random.default_rng(seed).permutation(groups.max() + 1)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        by_rank = np.argsort(rank[groups], kind="stable")
        return self.take(np.sort(by_rank[:rows]))

    def labels_sha256(self, columns: Sequence[str]) -> str:
        """Return a SHA-256 over the given labels and the groups, in order."""
        digest = hashlib.sha256()
        for name in sorted(columns):
            digest.update(name.encode() + b"\0" + self.columns[name].codes.astype("<i8").tobytes())
        digest.update(self.groups().astype("<i8").tobytes())
        return digest.hexdigest()


def open_data(name: str, part: Part, options: Mapping[str, Any]) -> LabelledData:
    """Open a data source by its name, or by `package.module:factory`.

    Args:
        name: `digits`, `biased-mnist`, `celeba`, or a factory that takes `part` and returns LabelledData.
        part: Which rows.
        options: Keyword arguments of the source, for instance `rho`.

    Raises:
        UnknownNameError: No such source, or it takes no such option.
        DataError: Files are missing, or the factory returns something else.
    """
    if "part" in options:
        raise DataError(f"The part of {name} is not for choice: here it is {part!r}. Leave 'part' out.")
    factory = resolve(name, "data source", DATASETS)
    try:
        data = call(factory, {"part": part, **options}, name)
    except (TypeError, ValueError) as error:
        fact = " ".join(str(error).split())  # one line, whatever a factory says
        raise DataError(f"{name} cannot be opened with {dict(options)}: {fact}. Change its options.") from None
    if not isinstance(data, LabelledData):
        raise DataError(f"{name} returned a {type(data).__name__}. A data factory returns audit.data.LabelledData.")
    return data


def batches(
    data: LabelledData, columns: Sequence[str], *, size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield inputs (b, …) and their labels {column: (b,) int64}, in order, or shuffled by `generator`."""
    loader: DataLoader[tuple[Tensor, dict[str, int]]] = DataLoader(
        _Rows(data, columns), batch_size=size, shuffle=generator is not None, generator=generator
    )
    yield from loader


class _Chosen:
    def __init__(self, inputs: Inputs, rows: Ints) -> None:
        self._inputs, self._rows = inputs, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int, /) -> Tensor:
        return self._inputs[int(self._rows[row])]


class _Rows(Dataset[tuple[Tensor, dict[str, int]]]):
    def __init__(self, data: LabelledData, columns: Sequence[str]) -> None:
        self._data = data
        self._labels = {name: data.columns[name].codes for name in columns}

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, row: int) -> tuple[Tensor, dict[str, int]]:
        return self._data.inputs[row], {name: int(codes[row]) for name, codes in self._labels.items()}

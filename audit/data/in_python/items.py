"""Rows of a list or a dataset by position: each an input, or an input with its labels."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from torch import Tensor

from audit.data.in_python.values import ByFunction, Named, Rows, Value, as_tensor, first_row, named_parts
from audit.errors import DataError, listed
from audit.plugins import users_code

Labels = Sequence[str | int]
"""Keys, or places, of a row's labels."""
_NUMBERS = (Tensor, np.ndarray, np.number, int, float, list, tuple)


class Parts:
    """Inputs that are parts of a row; single numbers beside them, such as a length, may be inputs, too."""

    def __init__(self, items: Sequence[Any], parts: Sequence[str | int], numbers: Sequence[str | int]) -> None:
        self._items, self._parts = items, tuple(parts)
        self.numbers = tuple(numbers)
        """Keys, or places, of numbers that are left out."""

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, row: int, /) -> Value:
        item = self._items[row]
        found = {part: as_tensor(_part(item, part, row)) for part in self._parts}
        if len(found) == 1:
            return found[self._parts[0]]
        is_named = isinstance(item, Mapping)
        return {str(part): one for part, one in found.items()} if is_named else tuple(found.values())

    def with_numbers(self, numbers: Sequence[str | int]) -> "Parts":
        """Return the same rows with some of the numbers among the inputs."""
        return Parts(self._items, [*self._parts, *numbers], [one for one in self.numbers if one not in numbers])


def of_items(items: Sequence[object], columns: Named, *, leave: Sequence[str] = ()) -> Rows:
    """Return the rows of a list or a dataset: each an input, or an input with its labels.

    Args:
        leave: Keys of a row that are no inputs.
    """
    first = first_row(items)
    named = None if isinstance(columns, Mapping) else tuple(columns)
    if isinstance(first, Mapping):
        inputs, behind, note = _parts_by_key(items, first, named, leave)
    elif isinstance(first, tuple | list) and (named is not None or any(map(_is_input, first))):
        inputs, behind, note = _parts_by_place(items, first, named)
    elif named is not None:
        raise DataError(
            f"A row is a {type(first).__name__} and holds no labels by name. Give the values: irene.labelled(inputs, "
            "{'gender': gender}), of one value a row."
        )
    elif isinstance(first, Tensor) or first is None:
        return Rows(items, cast(Mapping[str, object], columns))
    else:
        _require_numbers(first, "A row")
        return Rows(ByFunction(len(items), lambda row: as_tensor(items[row])), cast(Mapping[str, object], columns))
    labels = columns if isinstance(columns, Mapping) else _labels(items, columns, behind)
    return Rows(inputs, labels, (note,) if note else ())


def _parts_by_key(
    items: Sequence[Any], first: Mapping[str, object], named: tuple[str | None, ...] | None, leave: Sequence[str]
) -> tuple[Parts, Labels, str]:
    labels = named_parts(named or (), first)
    keys = [key for key, one in first.items() if key not in labels and key not in leave and _is_input(one)]
    other = [str(key) for key in first if key not in labels and key not in leave and key not in keys]
    if not keys:
        raise DataError(
            f"No part of a row is a tensor beside the labels: {listed([*map(str, first)])}. Turn the input into one "
            "first, with the transform or the tokenizer that the model was trained with."
        )
    note = f"of a row, the input is {listed(keys)}" + (f"; left out: {listed(other)}" if other else "")
    numbers = [key for key in other if key in first and _is_single(first[key])]
    return Parts(items, keys, numbers), labels, note


def _parts_by_place(
    items: Sequence[Any], first: Sequence[object], named: tuple[str | None, ...] | None
) -> tuple[Parts, Labels, str]:
    if named is not None and len(named) != len(first) - 1:
        raise DataError(
            f"A row has {len(first)} parts, the input and {len(first) - 1} more, and {len(named)} names were given. "
            "Name each part behind the input in its order, and None for one that is no label."
        )
    places = [0] if named is not None else [place for place, one in enumerate(first) if _is_input(one)]
    _require_numbers(first[places[0]], "The input of a row")
    note = f"of the {len(first)} parts of a row, the input is {listed([str(place + 1) for place in places])}"
    note = "" if named is not None or len(places) == len(first) else note
    numbers = [place for place, one in enumerate(first) if named is None and place not in places and _is_single(one)]
    return Parts(items, places, numbers), range(1, len(first)), note


def _labels(items: Sequence[object], named: Sequence[str | None], parts: Labels) -> dict[str, list[object]]:
    """Read every row once for its labels."""
    columns: dict[str, list[object]] = {name: [] for name in named if name is not None}
    for row in range(len(items)):
        with users_code(f"The input of row {row}", DataError):
            item = items[row]
        if isinstance(parts, range) and isinstance(item, tuple | list) and len(item) != len(parts) + 1:
            raise DataError(f"Row {row} has {len(item)} parts, and the first has {len(parts) + 1}. Give all the same.")
        for name, part in zip(named, parts, strict=True):
            value = _part(item, part, row)
            if name is None:
                continue
            if isinstance(value, Tensor | np.ndarray):
                if (value.numel() if isinstance(value, Tensor) else value.size) != 1:
                    raise DataError(
                        f"{name!r} is an array of shape {list(value.shape)} in each row, and a label is one value. "
                        "Give each as a column of its own: irene.labelled(dataset, {'gender': values, …})."
                    )
                value = value.item()
            columns[name].append(value)
    return columns


def _part(item: Any, part: str | int, row: int) -> Any:
    """Return a part of a row; raise a DataError if it is not like the first row, which has that part."""
    is_there = part in item if isinstance(item, Mapping) else isinstance(part, int) and part < _length(item)
    if not is_there:
        what = repr(part) if isinstance(part, str) else f"part {part + 1}"
        raise DataError(
            f"Row {row}, a {type(item).__name__}, has no {what}, and the first row has. Give all rows the same parts; "
            "a label that nobody knows is None."
        )
    return item[part]


def _length(item: object) -> int:
    return len(item) if isinstance(item, tuple | list) else 0


def _is_input(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim > 0 and value.dtype.kind in "biuf"
    return isinstance(value, Tensor) and value.dim() > 0


def _is_single(value: object) -> bool:
    """Return whether a part of a row is one number."""
    if isinstance(value, Tensor):
        return value.dim() == 0
    return isinstance(value, int | float | np.number | np.bool_) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biuf"
    )


def _require_numbers(value: object, what: str) -> None:
    array = value if isinstance(value, Tensor) else np.asarray(value)
    if (isinstance(array, np.ndarray) and array.dtype.kind not in "biuf") or not isinstance(value, _NUMBERS):
        raise DataError(
            f"{what} is a {type(value).__name__}, and a model takes tensors of numbers. Apply the transform or the "
            "tokenizer that it was trained with first, for instance in a torch.utils.data.Dataset."
        )

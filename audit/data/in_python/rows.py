"""Rows as they are held in Python: arrays, frames, datasets and loaders become inputs by position, and labels."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import data as torch_data

from audit.errors import DataError, UnknownNameError, UnreadableError, in_one_line, listed
from audit.plugins import users_code

Value = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
Columns = Mapping[str, object] | pd.DataFrame | Sequence[str | None] | str
"""Values by column, or names of parts of a row."""
INSTEAD = "irene.labelled(inputs, columns)"
BYTES = "the inputs are whole numbers of 8 bits, as given: nothing was scaled to [0, 1]"


Named = Mapping[str, object] | Sequence[str | None]


@dataclass(frozen=True)
class Rows:
    """n rows."""

    inputs: Any
    """By position; what each is, `Inputs` of audit.data.labelled says."""
    columns: Mapping[str, object]
    """Values of each row by column."""
    notes: tuple[str, ...] = ()


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
    if (told := _refused(inputs)) is not None:
        raise DataError(told)
    notes: tuple[str, ...] = ()
    if isinstance(inputs, torch_data.DataLoader):
        inputs, notes = _of_loader(inputs)
    if isinstance(inputs, pd.DataFrame):
        rows = _of_frame(inputs, columns)
    elif _is_hugging_face(inputs):
        rows = _of_hugging_face(inputs, columns)
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
        rows = _of_items(cast(Sequence[object], inputs), columns)
    first = _first(rows.inputs)
    if first is not None and any(part.dtype == torch.uint8 and part.dim() > 1 for part in parts_of(first)):
        notes += (BYTES,)
    columns = {name: plain(name, values) for name, values in rows.columns.items()}
    return Rows(rows.inputs, columns, (*notes, *rows.notes))


def plain(name: str, values: object) -> object:
    """Return labels that a tensor holds as an array, and any others as they are; raise a DataError if it has none."""
    try:
        return as_array(values) if isinstance(values, Tensor) else values
    except (TypeError, RuntimeError) as error:
        raise DataError(
            f"Column {name!r} is a tensor that cannot be read: {in_one_line(error)}. Give plain numbers."
        ) from None


def as_array(values: Tensor) -> NDArray[np.generic]:
    """Return a tensor's numbers, wherever it is; those of bfloat16 and shorter as float32."""
    is_known = not values.is_floating_point() or values.dtype in (torch.float16, torch.float32, torch.float64)
    array: NDArray[np.generic] = values.detach().to("cpu", values.dtype if is_known else torch.float32).numpy()
    return array


def _require_length(inputs: object) -> None:
    with users_code("The length of the inputs", DataError):
        try:
            len(cast(Sequence[object], inputs))
        except (TypeError, ValueError, OverflowError) as error:  # Python's own words on what __len__ returned
            raise DataError(
                f"The inputs have no length: {in_one_line(error)}. Let `len` return their number."
            ) from None


def parts_of(value: object) -> list[Tensor]:
    """Return the tensors of one input."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    held = value if isinstance(value, tuple) else (value,)
    return [one for one in held if isinstance(one, Tensor)]


class _By:
    """Inputs by a function of the row."""

    def __init__(self, n: int, read: Callable[[int], object]) -> None:
        self._n, self._read = n, read

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, row: int, /) -> object:
        return self._read(row)


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
        found = {part: as_tensor(item[part]) for part in self._parts}
        if len(found) == 1:
            return found[self._parts[0]]
        is_named = isinstance(item, Mapping)
        return {str(part): one for part, one in found.items()} if is_named else tuple(found.values())

    def with_numbers(self, numbers: Sequence[str | int]) -> "Parts":
        """Return the same rows with some of the numbers among the inputs."""
        return Parts(self._items, [*self._parts, *numbers], [one for one in self.numbers if one not in numbers])


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


def _of_loader(loader: "torch_data.DataLoader[Any]") -> tuple[object, tuple[str, ...]]:
    """Return a loader's rows in the order of its dataset, as its collate_fn makes them."""
    dataset, collate, sampler = loader.dataset, loader.collate_fn, loader.sampler
    if (told := _refused(dataset)) is not None:
        raise DataError(told)
    own_batches = loader.batch_sampler is not None and type(loader.batch_sampler) is not torch_data.BatchSampler
    rows: Sequence[int] = range(len(dataset))  # type: ignore[arg-type]
    notes: tuple[str, ...] = ()
    if type(sampler) is torch_data.SubsetRandomSampler and not own_batches:
        rows = sorted(map(int, sampler.indices))
        notes = (f"of the {len(dataset):,} rows of the loader's dataset its sampler named {len(rows):,}",)  # type: ignore[arg-type]
    elif own_batches or type(sampler) not in (torch_data.SequentialSampler, torch_data.RandomSampler):
        name = type(loader.batch_sampler if own_batches else sampler).__name__
        raise DataError(
            f"The loader's {name} chooses rows, and may take one twice or never. Give the rows that you mean: "
            "irene.labelled(torch.utils.data.Subset(loader.dataset, rows), columns)."
        )
    if type(sampler) is not torch_data.SequentialSampler:
        notes = (*notes, "the loader shuffles; its rows were taken in the order of its dataset")
    is_default = collate is torch_data.default_collate or loader.batch_size is None

    def read(row: int) -> object:
        item = dataset[rows[row]]
        return item if is_default else _unbatched(collate([item]))

    if is_default and len(rows) == len(dataset):  # type: ignore[arg-type]
        return dataset, notes
    return _By(len(rows), read), notes


def _unbatched(batch: object) -> object:
    """Return the only row of a batch."""
    if isinstance(batch, Tensor | np.ndarray):
        return batch[0]
    if isinstance(batch, Mapping):
        return {name: _unbatched(one) for name, one in batch.items()}
    if isinstance(batch, tuple) or (isinstance(batch, list) and any(isinstance(one, Tensor | list) for one in batch)):
        return tuple(_unbatched(one) for one in batch)
    return batch[0] if isinstance(batch, list) and len(batch) == 1 else batch


def _of_frame(frame: pd.DataFrame, columns: Named) -> Rows:
    """Return a frame's numbers as inputs; labels that are named by their column are none of these."""
    named = () if isinstance(columns, Mapping) else _names(columns, frame.columns)
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
    return Rows(_By(len(frame), _row_of_array(features.to_numpy())), labels, () if not named else (note,))


def _is_hugging_face(inputs: object) -> bool:
    return any(kind.__module__ == "datasets.arrow_dataset" for kind in type(inputs).__mro__)


def _of_hugging_face(dataset: Any, columns: Named) -> Rows:
    """Return the labels of a `datasets.Dataset` by their names, and its rows as its format or PyTorch's makes them."""
    names = () if isinstance(columns, Mapping) else _names(columns, dataset.column_names)
    features = dataset.features
    plain = dataset.with_format(None)
    labels = {name: _named_classes(list(plain[name]), getattr(features[name], "names", None)) for name in names}
    if dataset.format["type"] is None:
        rest = [name for name in dataset.column_names if name not in names]
        encoded = [name for name in rest if type(features[name]).__name__ in ("Image", "Audio", "Video")]
        if encoded:
            raise DataError(
                f"Column {encoded[0]!r} of the dataset holds files, and nothing says how a model sees them. Give "
                "dataset.with_transform(function), whose rows hold tensors."
            )
        rest = [name for name in rest if getattr(features[name], "dtype", "") not in ("string", "large_string")]
        if not rest:
            raise DataError("No column of the dataset beside the labels holds numbers. Tokenize its texts first.")
        dataset = dataset.with_format("torch", columns=rest)
    return _of_items(dataset, columns if isinstance(columns, Mapping) else labels, leave=names)


def _named_classes(cells: list[Any], names: Sequence[str] | None) -> list[Any]:
    """Return the names of classes that are kept as their numbers; -1 is none."""
    return cells if names is None else [None if one is None or one < 0 else names[one] for one in cells]


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
        return Rows(_By(lengths.pop(), lambda row: {name: read(row) for name, read in readers.items()}), columns)
    array = _array(inputs)
    return Rows(array if isinstance(array, Tensor) else _By(len(array), _row_of_array(array)), columns)


def _array(values: object) -> Tensor | NDArray[np.generic]:
    array = values if isinstance(values, Tensor) else np.asarray(values)
    if array.ndim < 1 or (isinstance(array, np.ndarray) and array.dtype.kind not in "biuf"):
        fact = "is a single number" if array.ndim < 1 else f"is of {array.dtype}"
        raise DataError(f"An array of the inputs {fact}. Give numbers of n rows, (n, …): {INSTEAD}.")
    return array


def _row_of_array(array: Tensor | NDArray[np.generic]) -> Callable[[int], Tensor]:
    return lambda row: as_tensor(array[row])


def as_tensor(value: object) -> Tensor:
    """Return a tensor of a value's own kind of numbers; those that PyTorch hardly knows become the next larger."""
    if isinstance(value, Tensor):
        return value
    array = np.array(value)  # a copy, that nothing else may change
    kinds = {"u2": np.int32, "u4": np.int64, "u8": np.int64, "f16": np.float64}
    wider = kinds.get(array.dtype.str[1:])
    return torch.from_numpy(array.astype(wider or array.dtype.newbyteorder("="), copy=False))


def _of_items(items: Sequence[object], columns: Named, *, leave: Sequence[str] = ()) -> Rows:
    """Return the rows of a list or a dataset: each an input, or an input with its labels.

    Args:
        leave: Keys of a row that are no inputs.
    """
    first = _first(items)
    named = None if isinstance(columns, Mapping) else tuple(columns)
    if isinstance(first, Mapping):
        inputs, label, note = _parts_by_key(items, first, named, leave)
    elif isinstance(first, tuple | list) and (named is not None or any(map(_is_input, first))):
        inputs, label, note = _parts_by_place(items, first, named)
    elif named is not None:
        raise DataError(
            f"A row is a {type(first).__name__} and holds no labels by name. Give the values: irene.labelled(inputs, "
            "{'gender': gender}), of one value a row."
        )
    elif isinstance(first, Tensor) or first is None:
        return Rows(items, cast(Mapping[str, object], columns))
    else:
        _require_numbers(first, "A row")
        return Rows(_By(len(items), lambda row: as_tensor(items[row])), cast(Mapping[str, object], columns))
    labels = columns if isinstance(columns, Mapping) else _labels(items, columns, label)
    return Rows(inputs, labels, (note,) if note else ())


Label = Callable[[Any], Sequence[object]]


def _parts_by_key(
    items: Sequence[Any], first: Mapping[str, object], named: tuple[str | None, ...] | None, leave: Sequence[str]
) -> tuple[Parts, Label, str]:
    labels = _names(named or (), first)
    keys = [key for key, one in first.items() if key not in labels and key not in leave and _is_input(one)]
    other = [str(key) for key in first if key not in labels and key not in leave and key not in keys]
    if not keys:
        raise DataError(
            f"No part of a row is a tensor beside the labels: {listed([*map(str, first)])}. Turn the input into one "
            "first, with the transform or the tokenizer that the model was trained with."
        )
    note = f"of a row, the input is {listed(keys)}" + (f"; left out: {listed(other)}" if other else "")
    numbers = [key for key in other if key in first and _is_single(first[key])]
    return Parts(items, keys, numbers), lambda item: [item[one] for one in labels], note


def _parts_by_place(
    items: Sequence[Any], first: Sequence[object], named: tuple[str | None, ...] | None
) -> tuple[Parts, Label, str]:
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
    return Parts(items, places, numbers), lambda item: item[1:], note


def _labels(items: Sequence[object], named: Sequence[str | None], label: Label) -> dict[str, list[object]]:
    """Read every row once for its labels."""
    columns: dict[str, list[object]] = {name: [] for name in named if name is not None}
    for row in range(len(items)):
        with users_code(f"The input of row {row}", DataError):
            item = items[row]
        for name, value in zip(named, label(item), strict=True):
            if name is None:
                continue
            if isinstance(value, Tensor | np.ndarray):
                if (value.numel() if isinstance(value, Tensor) else value.size) != 1:
                    raise DataError(
                        f"{name!r} is an array of shape {list(value.shape)} in each row, and a label is one value. "
                        "Give each as a column of its own: irene.labelled(dataset, {'gender': values, …})."
                    )
                value = value.item()  # noqa: PLW2901
            columns[name].append(value)
    return columns


def _names(columns: Sequence[str | None], known: Iterable[object]) -> tuple[str, ...]:
    names = tuple(name for name in columns if name is not None)
    present = [str(one) for one in known]
    for name in names:
        if name not in present:
            raise UnknownNameError("column of a row", str(name), present)
    return names


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


_NUMBERS = (Tensor, np.ndarray, np.number, int, float, list, tuple)


def _first(items: Any) -> object:
    """Return the first row; None if there is none, or it cannot be read."""
    try:
        with users_code("The input of row 0", DataError):
            return items[0] if len(items) else None
    except UnreadableError:
        return None

"""Ready-made embeddings with their labels: an audit without any model. Nothing in the files is run."""

import os
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.lib.format import MAGIC_PREFIX, open_memmap, read_array_header_1_0, read_array_header_2_0
from numpy.typing import NDArray
from torch import Tensor

from audit.data.files.parquet_file import UNNAMED, open_parquet, written_index
from audit.data.files.shards import is_sharded, name_of, require_one_order, shards_of
from audit.data.files.table_file import header, read_table, whole_numbers
from audit.data.joins.beside import Side, beside
from audit.data.joins.ids import Labels
from audit.data.labelled import LabelledData
from audit.data.layers import Layer, require_finite, vectors
from audit.data.on_disk import Store
from audit.data.sources.table import Said, recorded
from audit.errors import DataError, IreneError, cut, in_one_line
from audit.file_limits import opened, told, total, zip_parts

ALL_ROWS = ": all rows were audited, and rows that trained the model leak more than others"
"""How a note ends that is not true of a part of the rows."""
WRITTEN_INDEX = "Unnamed: 0"
"""How a first column without a name is read, which is the index where pandas wrote a .csv file."""
PIECE = 4096
"""Rows of a .parquet file among several that are in memory at once."""


@dataclass(frozen=True)
class Embeddings:
    """Representations of n rows that some model made, and their labels."""

    layers: dict[str, Layer]
    """Representations by name, (n, d); of a .npy file they stay on the disk."""
    data: LabelledData
    """The labels; its inputs are the rows of the first layer, (d,) float32."""


class LayerRows:
    """Rows of a layer as model inputs, read when they are asked for."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    def __len__(self) -> int:
        return len(self._layer)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one row, (d,) float32."""
        return torch.from_numpy(np.array(self._layer[row], dtype=np.float32))


def read_embeddings(
    path: str | os.PathLike[str],
    *,
    table: str | os.PathLike[str] | None = None,
    continuous: str | Sequence[str] = (),
    classes: str | Sequence[str] = (),
    missing: str | Sequence[str] | None = None,
    may_lack_labels: bool = False,
) -> Embeddings:
    """Read embeddings and labels from a .npz, .npy or .parquet file, or from several (audit.data.files.shards).

    A .npz file holds a float array (n, d) for each layer and an array (n,) for each label. A .npy file holds one
    layer, and stays on the disk. A .parquet file holds a column of lists of floats for each layer, and labels. Rows of
    several files stand under each other in the order of the names, and their layers stay on the disk.

    Args:
        table: More labels, of the same rows: a .csv, .tsv, .jsonl, .parquet or .npz file. A column of the same name in
            both says which row is whose; with none, they are in the same order.
        continuous: Columns to treat as numbers, as a list or with commas between them.
        classes: Columns of many whole numbers to treat as classes.
        missing: Words that mean missing beside the empty cell; by default `?` alone.
        may_lack_labels: Whether vectors without any label will do.

    Raises DataError if there is no file, layer or label, if they differ in rows, or features are not finite;
    UnknownNameError if there is no such column.
    """
    path, table = Path(path), None if table is None else Path(table)
    layers, labels = _layers_and_labels(path)
    header_notes: tuple[str, ...] = ()
    if table is not None:
        labels, header_notes = _with_table(path, labels, table)
    if not labels and not may_lack_labels:
        raise DataError(f"{path} holds no labels. Give a table with the same rows, or save the labels beside them.")
    _require_rows(layers, labels, path, table)
    for name, layer in layers.items():
        require_finite(name, layer, path)
    said = Said.of(continuous, classes, missing)
    columns, notes = said.read(labels, path.name)
    trained = "the column `split` was not used" if "split" in columns else "nothing says which rows trained the model"
    data = LabelledData(
        name=name_of(path),
        inputs=LayerRows(next(iter(layers.values()))),
        columns=columns,
        options={**recorded({"layers": tuple(layers)}), **said.recorded(), **({"table": table.name} if table else {})},
        notes=(
            *header_notes,
            *notes,
            f"{trained}{ALL_ROWS}",
        ),
    )
    return Embeddings(layers, data)


def _with_table(path: Path, labels: dict[str, Labels], table: Path) -> tuple[dict[str, Labels], tuple[str, ...]]:
    """Return labels with those of a table, and what to know of it."""
    notes: tuple[str, ...] = ()
    if table.suffix.lower() == ".npz":  # of the same rows: its own layers are not looked at
        columns = _layers_and_labels(table)[1]
    else:
        read = read_table(table)
        columns, notes = {**read.columns}, read.notes
    own = _side(path, labels)
    joined = beside(own, _side(table, columns), table.name)
    order = (require_one_order(path),) if is_sharded(path) and not joined.is_told else ()
    return {**labels, **own.columns, **joined.columns}, (*notes, *joined.notes, *order)


def _side(path: Path, labels: Mapping[str, Labels]) -> Side:
    """Return labels with the index that pandas wrote; one that begins anew in every file says nothing of all rows."""
    files = shards_of(path) if is_sharded(path) else [path]
    try:
        found = [written_index(one) if one.suffix.lower() == ".parquet" else {} for one in files]
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"Cannot read {path}: {in_one_line(error)}. Save it again.") from None
    names = [name for name in found[0] if all(name in one for one in found)]
    index = {name: pd.concat([one[name] for one in found], ignore_index=True) for name in names}
    index = {name: values for name, values in index.items() if len(files) == 1 or values.is_unique}
    unnamed: dict[str, Labels] = {name: values for name, values in index.items() if name.startswith(UNNAMED)}
    if WRITTEN_INDEX in labels:
        unnamed[f"{UNNAMED}0__"] = labels[WRITTEN_INDEX]
    columns = {name: values for name, values in labels.items() if not name.startswith(UNNAMED)}
    return Side({name: one for name, one in (index | columns).items() if name not in unnamed}, unnamed)


def _layers_and_labels(path: Path) -> tuple[dict[str, Layer], dict[str, Labels]]:
    """Read what the file itself holds, or the files that it stands for."""
    reader = {".npz": _read_npz, ".npy": _read_npy, ".parquet": _read_parquet}.get(path.suffix.lower())
    if is_sharded(path):
        return _under_each_other(path)
    if reader is None or not path.is_file():
        fact = "is no file of embeddings" if path.exists() else "does not exist"
        raise DataError(f"{path} {fact}. Give a .npz, .npy or .parquet file, or a folder of them.")
    try:
        layers, labels = reader(path)
    except IreneError:
        raise
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise DataError(
            f"Cannot read {path}: {in_one_line(error)}. Save it again, as arrays of floats and of text."
        ) from None
    if not layers:
        raise DataError(f"{path} holds no embeddings. Save them as an array of floats, (rows, features).")
    return layers, _named(labels, path)


def _read_npz(path: Path) -> tuple[dict[str, Layer], dict[str, Labels]]:
    layers: dict[str, Layer] = {}
    labels: dict[str, Labels] = {}
    with opened(path) as file:
        _require_members(file)
        found = np.load(file, allow_pickle=False)
        if isinstance(found, np.ndarray):
            raise ValueError("it holds one array without a name; its suffix would be .npy")
        for name in found.files:
            array = _member(found, name, path)
            if array.ndim == 1:
                labels[name] = array
            else:
                layers[name] = vectors(name, array, path)
    return layers, labels


def _require_members(file: BinaryIO) -> None:
    """Refuse arrays that declare more than their part of the archive holds, before memory is asked for."""
    try:
        parts = zip_parts(file, os.fstat(file.fileno()).st_size)
    except zipfile.BadZipFile:
        file.seek(0)  # numpy says what else it is
        return
    with zipfile.ZipFile(file) as archive:
        for part in parts:
            with archive.open(part) as member:
                _require_whole(member, part.filename, part.file_size)
    file.seek(0)


def _require_whole(member: IO[bytes], name: str, held: int) -> None:
    """Refuse an array by its header: one that declares more than is held, or of which NumPy would divide by zero."""
    if member.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
        return  # no array, which is told where it is asked for
    major, _minor = member.read(2)
    header = {1: read_array_header_1_0, 2: read_array_header_2_0}.get(major)
    if header is None:
        raise ValueError(f"{name} is of version {major} of numpy's format")
    shape, _is_fortran, dtype = header(member)
    if not dtype.itemsize:  # of no bytes a file may declare any number of values
        raise ValueError(f"{name} holds values of no bytes ({dtype.str})")
    declared = total(shape) * dtype.itemsize
    if declared > held and not dtype.hasobject:
        raise ValueError(f"{name} has {told(held)} and declares {told(declared)}")


def _member(found: Mapping[str, object], name: str, path: Path) -> NDArray[np.generic]:
    try:
        array = found[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"Array {name!r} of {path} holds Python objects, which only running the file could read. "
            "Save labels as an array of text: array.astype('U'), or df['sex'].to_numpy().astype('U') of a frame."
        ) from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{name!r} in {path} is no array. Save the file with numpy.savez.")
    if array.dtype.kind == "U" and array.size:
        letters = np.ascontiguousarray(array).view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if letters.max() > sys.maxunicode:
            raise ValueError(f"{name!r} holds text that is none: its letters have numbers beyond Unicode's")
    return array


def _read_npy(path: Path) -> tuple[dict[str, Layer], dict[str, Labels]]:
    with opened(path) as file:
        _require_whole(file, path.name, os.fstat(file.fileno()).st_size)
    return {path.stem: vectors(path.stem, open_memmap(path, mode="r"), path)}, {}


def _read_parquet(path: Path) -> tuple[dict[str, Layer], dict[str, Labels]]:
    with open_parquet(path) as file:
        layers, labels = _split(file.read(), path)
    return layers, {name: whole_numbers(labels.column(name)) for name in labels.column_names}


def _split(found: pa.Table, path: Path) -> tuple[dict[str, Layer], pa.Table]:
    """Return the layers among the columns, and a table of the others."""
    if len(set(found.column_names)) < len(found.column_names):
        raise ValueError("two of its columns have one name")
    layers: dict[str, Layer] = {}
    for name in found.column_names:
        kind = found.schema.field(name).type
        lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
        if lists and pa.types.is_floating(kind.value_type):
            layers[name] = _stacked(name, found.column(name).combine_chunks(), path)
    return layers, found.drop_columns([*layers])


def _under_each_other(path: Path) -> tuple[dict[str, Layer], dict[str, Labels]]:
    """Read several files piece by piece; their layers go to the disk."""
    shards, stores = shards_of(path), dict[str, Store]()
    most = sum(map(_rows, shards))
    labels: list[pa.Table] = []
    for shard in shards:
        for layers, table in _pieces(shard):
            for name, rows in layers.items():
                _put(name, rows, stores.setdefault(name, Store(most, dtype=rows.dtype.str)), shard)
            if {*layers} != {*stores} or (labels and table.column_names != labels[0].column_names):
                here, there = (
                    ", ".join([*one, *other.column_names])
                    for one, other in ((layers, table), (stores, (labels or [table])[0]))
                )
                raise DataError(f"{shard} holds {cut(here)}, and those before it {cut(there)}. Give files of one kind.")
            labels.append(table)
    try:
        joined = pa.concat_tables(labels, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"Columns of the files {path} do not go together: {in_one_line(error)}.") from None
    named = {name: whole_numbers(joined.column(name)) for name in joined.column_names}
    return {name: store.take() for name, store in stores.items()}, _named(named, path)


def _put(name: str, rows: Layer, store: Store, shard: Path) -> None:
    """Write rows of a layer behind those that came before."""
    before = store.values
    if before is not None and (before.shape[1], before.dtype) != (rows.shape[1], rows.dtype):
        raise DataError(
            f"{name!r} in {shard} is {rows.shape[1]} numbers a row of {rows.dtype}, and {before.shape[1]} of "
            f"{before.dtype} in the files before it. Give files of one kind."
        )
    store.add(rows)


def _rows(path: Path) -> int:
    """Return how many rows a file says that it holds."""
    if path.suffix.lower() != ".parquet":
        return len(next(iter(_layers_and_labels(path)[0].values())))
    try:
        with open_parquet(path) as file:
            return int(file.metadata.num_rows)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"Cannot read {path}: {in_one_line(error)}. Save it again.") from None


def _pieces(path: Path) -> Iterator[tuple[dict[str, Layer], pa.Table]]:
    """Yield the layers and labels of some rows of a file after the other; of a .npz or .npy file all at once."""
    if path.suffix.lower() != ".parquet":
        layers, labels = _layers_and_labels(path)
        _require_rows(layers, labels, path, None)
        yield {"z" if path.suffix.lower() == ".npy" else name: z for name, z in layers.items()}, pa.table(labels)
        return
    with open_parquet(path) as file:
        try:
            for batch in file.iter_batches(batch_size=PIECE):
                yield _split(pa.Table.from_batches([batch]), path)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise DataError(f"Cannot read {path}: {in_one_line(error)}. Save it again.") from None


def _stacked(name: str, lists: pa.Array, path: Path) -> Layer:
    if lists.null_count:
        raise DataError(f"Column {name!r} of {path} has {lists.null_count} rows without a vector. Take them out.")
    flat: Layer = lists.flatten().to_numpy(zero_copy_only=False)
    widths = np.unique(lists.value_lengths().to_numpy(zero_copy_only=False))
    if len(widths) != 1:
        raise DataError(f"Column {name!r} of {path} has vectors of {widths.min()} to {widths.max()} numbers. Pad them.")
    return vectors(name, flat.reshape(len(lists), -1), path)


def _named(labels: Mapping[str, Labels], path: Path) -> dict[str, Labels]:
    named = {header(name): values for name, values in labels.items()}
    if len(named) < len(labels):
        raise DataError(f"{path} has labels whose names differ in blanks alone: {', '.join(labels)}. Rename them.")
    return named


def _require_rows(layers: Mapping[str, Layer], labels: Mapping[str, Labels], path: Path, table: Path | None) -> None:
    first, layer = next(iter(layers.items()))
    beside = f" or {table.name}" if table else ""
    for name, values in [*layers.items(), *labels.items()]:
        if len(values) != len(layer):
            raise DataError(
                f"{name!r} in {path.name}{beside} has {len(values)} rows and {first!r} has {len(layer)}. "
                "Give one value a row, in the same order."
            )

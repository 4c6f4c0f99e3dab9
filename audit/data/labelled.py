"""The labelled rows that an audit reads and a sanitizer trains on."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.column_names import split_names
from audit.data.cells import LARGEST_WHOLE
from audit.data.columns import MISSING, AnyColumn, Column, Ints, Quantity, Undecided, intersect
from audit.data.in_python.index import index_of, one_index
from audit.data.in_python.items import Parts
from audit.data.in_python.rows import Columns, rows_of
from audit.data.in_python.values import plain
from audit.data.reading import LabelColumn, as_column, label_columns
from audit.errors import DataError, UnknownNameError, require_kind, require_text

Part = Literal["train", "audit"]
"""`train` rows may shape a model; `audit` rows are for attackers alone."""

MIN_ROWS = 10
"""Fewer rows of a class than this in the attackers' training, selection or test rows say nothing."""


ATTACKED = ("private", "kept", "watched")
"""Parts of a column in which the user has to say whether many whole numbers are classes or a quantity."""


class Inputs(Protocol):
    """Model inputs by position: each a tensor, a tuple of tensors, or a mapping of them by the model's arguments."""

    def __len__(self) -> int:
        """Return n."""

    def __getitem__(self, row: int, /) -> Any:
        """Return one input without a batch dimension. Raises UnreadableError if it cannot be read."""


@dataclass(frozen=True)
class LabelledData:
    """n inputs with their labels; a factory of the user's returns this."""

    name: str
    inputs: Inputs
    columns: Mapping[str, LabelColumn]
    group: NDArray[np.generic] | None = None
    """The unit that is never split across train and test, (n,): a person, a source image."""
    group_name: str | None = None
    options: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """Options of the source that made these rows; recorded in the evidence."""
    notes: tuple[str, ...] = ()
    """Remarks on these rows for the reader of the evidence, a sentence each without its full stop."""
    ordered: tuple[str, ...] = ()
    """Columns whose classes somebody put in the order of a model's outputs (`in_order`)."""
    index: "pd.Index[Any] | None" = None
    """The index of the frames and Series that these rows came from, (n,), if they came from any."""
    others: Mapping[str, LabelColumn] = field(default_factory=dict)
    """Columns of the rows of the other part, where the source knows them, (m,) each."""

    def __post_init__(self) -> None:
        require_kind(self.name, str, "The name of the rows is", "Give a text.", DataError)
        require_text("The name of their groups", self.group_name)
        n = len(self.inputs)
        lengths = {name: len(column) for name, column in self.columns.items()}
        lengths |= {} if self.group is None else {"group": len(self.group)}
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
            if isinstance(column, Column):
                self._require_codes(name, column)

    def __len__(self) -> int:
        return len(self.inputs)

    def column(self, name: str, kind: str) -> Column:
        """Return a column of classes by name, as `attribute` does; raise a DataError if it is continuous."""
        column = self.attribute(name, kind)
        if not isinstance(column, Column):
            raise DataError(f"{kind.capitalize()} column {name!r} is continuous; classes are needed here. Cut it.")
        return column

    def attribute(self, name: str, kind: str) -> AnyColumn:
        """Return a column of either kind by name; `a+b` is the intersection of two.

        A column that may be either is classes where nothing else is possible, and a question where it is attacked.

        Raises UnknownNameError if there is no such column; DataError if all rows have the same value, or nobody said
        whether it is classes or a quantity, or whether a number far outside of all others is one.
        """
        if name not in self.columns and "+" in name:
            return intersect({part: self.column(part, kind) for part in name.split("+")})
        if name not in self.columns:
            raise UnknownNameError(f"{kind} column of {self.name}", name, self.columns)
        column = self.columns[name]
        if isinstance(column, Undecided):
            if kind in ATTACKED:
                rewritten = "" if column.is_plain else ", for which its cells have to be written as plain numbers"
                raise DataError(
                    f"{kind.capitalize()} column {name!r} {column.fact}, which may be codes of classes or a quantity. "
                    f"Say which: --classes {name} or --continuous {name}{rewritten}; if it tells people apart, "
                    f"--group {name}."
                )
            column = column.column
        if isinstance(column, Quantity) and column.question and kind in (*ATTACKED, "task", "predicted"):
            raise DataError(f"{kind.capitalize()} column {name!r} {column.question}")
        known = column.codes[column.known] if isinstance(column, Column) else column.values[column.known]
        present = np.unique(known)
        if len(present) < 2:
            only = column.classes[present[0]] if len(present) and isinstance(column, Column) else "no value"
            only = f"{present[0]:g}" if len(present) and isinstance(column, Quantity) else only
            raise DataError(
                f"{kind.capitalize()} column {name!r} has one class only ({only}) in these {len(self)} rows, "
                "so nothing can be told apart. Choose another column or more rows."
            )
        return column

    def codes(self, name: str) -> Ints:
        """Return the classes of a column by name, (n,), be they all the same; `a+b` is the intersection of two."""
        column = self.columns.get(name)
        column = column.column if isinstance(column, Undecided) else column
        return column.codes if isinstance(column, Column) else self.column(name, "labelled").codes

    def in_order(self, name: str, classes: Sequence[str]) -> "LabelledData":
        """Return the same rows with the classes of a column in the order of a model's outputs.

        A class that no row has may be among them: a model of ten outputs may be audited on rows of nine classes.

        Raises UnknownNameError if there is no such column; DataError if a class is missing, named twice, or alone.
        """
        column, wanted = self.column(name, "task"), [str(one) for one in classes]
        present = [column.classes[code] for code in np.unique(column.codes[column.known])]
        if twice := [one for one in dict.fromkeys(wanted) if wanted.count(one) > 1]:
            raise DataError(f"The order of the classes of {name!r} names {twice[0]!r} twice. Name each once.")
        if left_out := [one for one in present if one not in wanted]:
            raise DataError(
                f"The order of the classes of {name!r} lacks {', '.join(map(repr, left_out[:5]))}, which rows of "
                f"{self.name} have. Name all classes that the model scores, in the order of its outputs."
            )
        places = np.array([wanted.index(one) if one in wanted else MISSING for one in column.classes], dtype=np.int64)
        codes = np.where(column.known, places[column.codes], MISSING).astype(np.int64)
        columns = {**self.columns, name: replace(column, codes=codes, classes=tuple(wanted))}
        return replace(self, columns=columns, ordered=(*self.ordered, name))

    def complete(self, names: str | Sequence[str]) -> "LabelledData":
        """Return the rows that have a value in all of the given columns."""
        names = [names] if isinstance(names, str) else names
        known = np.ones(len(self), dtype=bool)
        for name in names:
            column = self.columns[name] if name in self.columns else self.attribute(name, "labelled")
            known &= column.known
        return self if known.all() else self.take(np.flatnonzero(known))

    def groups(self) -> Ints:
        """Return the group of each row as a number, (n,); every row its own where none is given."""
        if self.group is None:
            return np.arange(len(self), dtype=np.int64)
        numbers: Ints = np.unique(self.group, return_inverse=True)[1].astype(np.int64)
        return numbers

    def grouped_by(self, name: str) -> "LabelledData":
        """Return the same rows with another column as their group, for instance people's ids.

        A row without a value becomes a group of its own, and a note counts them; another one counts the groups that
        have rows in the other part, too. Raises DataError if ids were rounded.
        """
        if name not in self.columns:
            raise UnknownNameError(f"group column of {self.name}", name, self.columns)
        group, notes = _group(name, self.columns[name])
        notes += in_both_parts(name, self.columns[name], self.others[name]) if name in self.others else ()
        return replace(self, group=group, group_name=name, notes=(*self.notes, *notes))

    def take(self, rows: Ints) -> "LabelledData":
        """Return the given rows, (m,), in that order."""
        return replace(
            self,
            inputs=_Subset(self.inputs, rows),
            columns={name: column.take(rows) for name, column in self.columns.items()},
            group=None if self.group is None else self.group[rows],
            index=None if self.index is None else self.index[rows],
        )

    @property
    def numbers(self) -> tuple[str | int, ...]:
        """Keys, or places, of single numbers that each row holds and that are neither inputs nor labels."""
        return self.inputs.numbers if isinstance(self.inputs, Parts | _Subset) else ()

    def with_numbers(self, names: Sequence[str | int]) -> "LabelledData":
        """Return the same rows with some of these numbers among the inputs, each (n,) in a batch."""
        if not names or not isinstance(self.inputs, Parts | _Subset):
            return self
        note = f"the model takes {', '.join(map(repr, names))} of each row, too, which was given to it"
        return replace(self, inputs=self.inputs.with_numbers(names), notes=(*self.notes, note))

    def limited(self, rows: int, *, seed: int) -> "LabelledData":
        """Return at most `rows` rows: whole groups in a seeded random order, but for the last, which may be cut."""
        return self if len(self) <= rows else self.take(self.some_rows(rows, seed=seed))

    def some_rows(self, rows: int, *, seed: int) -> Ints:
        """Return which rows `limited` takes."""
        groups = self.groups()
        rank = np.argsort(np.random.default_rng(seed).permutation(groups.max() + 1))
        by_rank = np.argsort(rank[groups], kind="stable")
        return np.sort(by_rank[:rows])

    def labels_sha256(self, columns: Sequence[str]) -> str:
        """Return a SHA-256 over the given labels and the groups, in order."""
        return hashlib.sha256(self._labels(columns)).hexdigest()

    def fingerprint(self, columns: Sequence[str], digests: Sequence[bytes] = ()) -> str:
        """Return a SHA-256 over the given labels, the groups and the rows' own digests, in order."""
        return hashlib.sha256(self.labels_sha256(columns).encode() + b"".join(digests)).hexdigest()

    def resampling_key(self, columns: Sequence[str], digests: Sequence[bytes] = ()) -> bytes:
        """Return what resamples of these rows are drawn from, 32 bytes: who has the rows has it, and nobody else.

        It is over the same as the fingerprint and does not follow from it. It must never be written: with it, the
        labels could be solved for from the figures on each resample.
        """
        return hashlib.sha256(b"resamples\0" + self._labels(columns) + b"".join(digests)).digest()

    def _labels(self, columns: Sequence[str]) -> bytes:
        """Return digests of the given labels, and the groups, in order."""
        labels = "".join(f"{name}\0{self.attribute(name, 'labelled').sha256()}\0" for name in sorted(columns))
        return labels.encode() + self.groups().astype("<i8").tobytes()

    def _require_codes(self, name: str, column: Column) -> None:
        codes = column.codes
        if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "iu":
            raise DataError(f"Column {name!r} of {self.name} holds no integers. Give a NumPy array of int64.")
        if len(codes) and not MISSING <= codes.min() <= codes.max() < len(column.classes):
            raise DataError(
                f"Column {name!r} of {self.name} has codes from {codes.min()} to {codes.max()} and "
                f"{len(column.classes)} classes. Give positions in its classes, or {MISSING} where it is missing."
            )


def labelled(
    inputs: object,
    columns: Columns,
    *,
    group: object = None,
    group_name: str = "group",
    name: str = "arrays",
    continuous: str | Sequence[str] = (),
    classes: str | Sequence[str] = (),
    missing: str | Sequence[str] | None = None,
) -> LabelledData:
    """Put labels beside model inputs, by position: lists, arrays or Series, or names of what each row holds.

        irene.labelled(images, {"gender": gender})   # arrays, tensors, lists, frames of numbers, by position
        irene.labelled(dataset, "gender")            # a Dataset or DataLoader of (image, gender)
        irene.labelled(dataset, ("gender", None))    # of (image, gender, file name)
        irene.labelled(rows, ("gender", "age"))      # of {"image": …, "gender": …, "age": …}, or a frame

    Args:
        inputs: n inputs by position: a tensor (n, …), a list of tensors, or anything with `len` and `[]`; see
            audit.data.in_python.rows for the others.
        columns: Values of each row by column name, see audit.data.reading.as_column for what becomes classes; or the
            names of the labels that each row holds.
        group: The unit that is never split across train and test, (n,), for instance a person's id; a row without
            one is a group of its own.
        group_name: The kind of unit, for instance "person".
        name: Name of these rows in the evidence.
        continuous: Columns to treat as numbers, as a list or with commas between them.
        classes: Columns of many numbers to treat as classes.
        missing: Words that mean missing; by default `?` alone. None, NaN and the empty text always do.

    Raises:
        DataError: A column has another length than the inputs, or another index of pandas', or the inputs are nothing
            that holds rows by position.
    """
    words = None if missing is None else split_names(missing, "A word that means missing")
    rows = rows_of(inputs, columns)
    if odd := [one for one in rows.columns if not isinstance(one, str)]:
        raise DataError(f"A column is named {odd[0]!r}, and a name is a text. Give one: {{'{odd[0]}': …}}.")
    index = _index(inputs, rows.columns, group, group_name)
    read, notes = label_columns(
        rows.columns,
        continuous=split_names(continuous, "A continuous column"),
        classes=split_names(classes, "A column of classes"),
        missing=words,
        source=name,
    )
    units, more = (
        (None, ()) if group is None else _group(group_name, _ids(group_name, plain(group_name, group), missing=words))
    )
    return LabelledData(
        name=name,
        inputs=rows.inputs,
        columns=read,
        group=units,
        group_name=None if group is None else group_name,
        options={} if words is None else {"missing": ",".join(words)},
        notes=(*notes, *more, *rows.notes),
        index=index if index is not None and len(index) == len(rows.inputs) else None,
    )


def require_labelled(data: object) -> None:
    """Raise a DataError that names the way out if something is no LabelledData."""
    if not isinstance(data, LabelledData):
        raise DataError(
            f"The data is a {type(data).__name__}, which says of no row what is private. Put labels beside its inputs: "
            "irene.labelled(inputs, {'gender': gender}), or irene.labelled(dataset, 'gender') for rows of (x, gender)."
        )


def _index(inputs: object, columns: Mapping[str, object], group: object, group_name: str) -> "pd.Index[Any] | None":
    """Return the index of what stands beside each other; raise a DataError if two differ."""
    held = {"the inputs": inputs, f"the group {group_name!r}": group}
    if isinstance(inputs, Mapping):
        held |= {f"input {one!r}": x for one, x in inputs.items()}
    held |= {f"column {one!r}": values for one, values in columns.items()}
    return one_index({what: index_of(one) for what, one in held.items()})


def _ids(name: str, values: object, *, missing: Sequence[str] | None) -> LabelColumn:
    return as_column(name, values, continuous=False, missing=missing)


def _group(name: str, column: LabelColumn) -> tuple[Ints, tuple[str, ...]]:
    """Return the group of each row, (n,), and what to know of it."""
    ids = _classes_or_numbers(column)
    if ids.remarks.rounded:
        raise DataError(
            f"Group column {name!r} holds numbers above {LARGEST_WHOLE} as floats, and ids that differ in their last "
            "digits have become one. Save the ids as text, or as whole numbers."
        )
    group = np.unique(_values(ids), return_inverse=True)[1].astype(np.int64)
    alone = np.flatnonzero(~ids.known)
    group[alone] = len(group) + np.arange(len(alone))
    note = f"rows without a value of {name!r}, each taken for a group of its own: {len(alone)} of {len(group)}"
    return group, (*ids.remarks.words, *([note] if len(alone) else []))


def in_both_parts(name: str, ours: LabelColumn, theirs: LabelColumn) -> tuple[str, ...]:
    """Return what to say of groups, by their ids in the rows of one part and of the other, that are in both."""
    here, there = (np.unique(_values(ids)[ids.known]) for ids in map(_classes_or_numbers, (ours, theirs)))
    both = len(np.intersect1d(here, there))
    if not both:
        return ()
    return (
        f"groups of {name!r} that have rows in the other part of the split, too: {both} of {len(here)}; of people whom "
        "training or removal has seen other things may be read than of those whom it has not, so split by people",
    )


def _classes_or_numbers(column: LabelColumn) -> AnyColumn:
    return column.column if isinstance(column, Undecided) else column


def _values(ids: AnyColumn) -> NDArray[np.generic]:
    """Return what tells ids apart, (n,)."""
    if isinstance(ids, Quantity):
        return ids.values
    return ids.codes if ids.exact is None else ids.exact


class _Subset:
    def __init__(self, inputs: Inputs, rows: Ints) -> None:
        self._inputs, self._rows = inputs, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int, /) -> Any:
        return self._inputs[int(self._rows[row])]

    @property
    def numbers(self) -> tuple[str | int, ...]:
        return self._inputs.numbers if isinstance(self._inputs, Parts | _Subset) else ()

    def with_numbers(self, numbers: Sequence[str | int]) -> "_Subset":
        held = self._inputs
        return _Subset(held.with_numbers(numbers) if isinstance(held, Parts | _Subset) else held, self._rows)

"""Which unlabelled rows may train: of the model's shape, of nobody who is held out, and no copy of a labelled row.

A row takes part if it lacks a private label. Whatever else its file says of it stays: its other labels, its task, what
is retained. Nothing is made up here: what is not said is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from audit.data.columns import MISSING, AnyColumn, Column, Ints, Quantity, Undecided
from audit.data.labelled import LabelledData, require_labelled
from audit.data.loading import UNREADABLE, readable
from audit.data.model_input import digest, one_row, sizes
from audit.errors import DataError
from sanitizer.job import TrainingJob

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Unlabelled:
    """Rows that a teacher is to label."""

    data: LabelledData
    """With the columns of a job, in the classes of its rows, and missing where nothing says them."""
    sha256: str
    """Over their inputs, in order."""
    notes: tuple[str, ...]
    """Which rows were left out, and what could not be told."""


def usable(job: TrainingJob, given: LabelledData, barred: Sequence[LabelledData]) -> Unlabelled:
    """Return the unlabelled rows of a source that may train.

    Args:
        job: With all of its truly labelled rows; a copy of one of them adds nothing, and is left out.
        given: The source.
        barred: Rows that choose or are audited; others of their groups are left out, and so are their copies.

    Raises:
        DataError: There is no such row, or it is of another shape, or lacks the column of people to keep recognisable.
    """
    given = readable(given)
    _require_rows(job, given)
    own = {name: _among(given, name, job.data.column(name, "private")) for name in job.private}
    lacks = np.logical_or.reduce([column.codes == MISSING for column in own.values()])
    if not lacks.any():
        raise DataError(
            f"Every row of {given.name} has a label of {', '.join(map(repr, job.private))}. Give labelled rows to the "
            "labelled ones (--data), and rows without to --unlabelled."
        )
    unread = given.options.get(UNREADABLE)
    notes = [f"{unread} unlabelled rows could not be read and were left out"] if unread else []
    if not lacks.all():
        count = int((~lacks).sum())
        notes.append(f"{count} rows of {given.name} have the private labels already and were not taken for unlabelled")
    is_of_held, told = _of_held_groups(given, job.data, barred)
    notes += told
    digests = [digest(one_row(given.inputs[row])) for row in range(len(given))]
    known = {digest(one_row(data.inputs[row])) for data in (job.data, *barred) for row in range(len(data))}
    is_copy = np.array([one in known for one in digests])
    for what, out in (("are of groups held out", is_of_held), ("are copies of labelled rows", is_copy & ~is_of_held)):
        if count := int((out & lacks).sum()):
            notes.append(f"{count} unlabelled rows {what} and were left out")
    rows = np.flatnonzero(lacks & ~is_of_held & ~is_copy).astype(np.int64)
    if not len(rows):
        raise DataError(
            f"No row of {given.name} is left to label: all are of groups held out, or copies of labelled rows. Give "
            "others, or leave --unlabelled out."
        )
    data = replace(given, columns={**own, **_others(job, given)}).take(rows)
    total = given.fingerprint([], [digests[row] for row in rows])
    return Unlabelled(data, total, tuple(notes))


def _require_rows(job: TrainingJob, given: LabelledData) -> None:
    require_labelled(given)
    if not len(given):
        raise DataError(f"{given.name} has no rows. Give some to --unlabelled, or leave it out.")
    ours, theirs = (sizes(one_row(data.inputs[0])) for data in (job.data, given))
    if ours != theirs:
        raise DataError(
            f"Rows of {given.name} have the shape {theirs}, and the labelled rows {ours}. Give rows that are made as "
            "these are."
        )
    if job.keep_identity and job.keep_identity not in given.columns:
        raise DataError(
            f"{given.name} has no column {job.keep_identity!r}, by which people are to stay recognisable. Add it, or "
            "leave --keep-identity or --unlabelled out."
        )


def _others(job: TrainingJob, given: LabelledData) -> dict[str, AnyColumn]:
    """Return the task, the retained attributes and the people of all rows, as far as their source says them."""
    found: dict[str, AnyColumn] = {}
    for name in [*([job.task] if job.task else []), *job.keep]:
        column = job.data.attribute(name, "labelled")
        found[name] = _numbers(given, name) if isinstance(column, Quantity) else _among(given, name, column)
    if job.keep_identity:
        found[job.keep_identity] = _people(given, job.keep_identity, job.data.column(job.keep_identity, "identity"))
    return found


def _numbers(given: LabelledData, name: str) -> Quantity:
    column = given.columns.get(name)
    column = column.quantity if isinstance(column, Undecided) else column
    return column if isinstance(column, Quantity) else Quantity(np.full(len(given), np.nan))


def _classes(given: LabelledData, name: str) -> Column | None:
    """Return a column of classes; None where there is none of that name that holds a class."""
    parts = name.split("+") if name not in given.columns else [name]
    columns = [given.columns.get(part) for part in parts]
    if not all(column is not None and column.known.any() for column in columns):
        return None
    return given.column(name, "labelled") if len(parts) > 1 else _decided(columns[0], name)


def _decided(column: AnyColumn | Undecided | None, name: str) -> Column:
    column = column.column if isinstance(column, Undecided) else column
    if not isinstance(column, Column):
        raise DataError(f"Column {name!r} of the unlabelled rows is a quantity, and the labelled rows have classes.")
    return column


def _among(given: LabelledData, name: str, ours: Column) -> Column:
    """Return a column in the classes of the labelled rows, missing where it is not there or says none of them."""
    column = _classes(given, name)
    codes = np.full(len(given), MISSING, dtype=np.int64) if column is None else column.codes_among(ours.classes)
    return Column(codes, ours.classes)


def _people(given: LabelledData, name: str, ours: Column) -> Column:
    """Return who each row is of, as the labelled rows number people; others are new, also where nobody is named."""
    column = _classes(given, name)
    if column is None:
        codes, new = np.full(len(given), MISSING, dtype=np.int64), np.arange(len(given))
    else:
        codes = column.codes_among(ours.classes)
        new = np.where(column.known, column.codes, len(column.classes) + np.arange(len(given)))
    added = np.unique(new[codes == MISSING], return_inverse=True)[1]
    codes[codes == MISSING] = len(ours.classes) + added
    more = int(added.max()) + 1 if len(added) else 0
    return Column(codes, (*ours.classes, *(f"new {one}" for one in range(more))))


def _of_held_groups(given: LabelledData, ours: LabelledData, barred: Sequence[LabelledData]) -> tuple[Bools, list[str]]:
    """Return which rows are of a group that chooses or is audited, (n,), and what to know where that cannot be told."""
    nobody, name = np.zeros(len(given), dtype=bool), ours.group_name
    if ours.group is None:
        return nobody, [
            "no group was named, so rows of one person may stand among the unlabelled and the held-out rows"
        ]
    theirs, *held = (_ids(data.columns.get(name) if name else None) for data in (given, *barred))
    if theirs is None or not theirs.known.any() or None in held:
        return nobody, [
            f"whether unlabelled rows are of held-out groups was not told: both need ids in a column {name!r} for that"
        ]
    own = [column for column in held if column is not None]
    names = dict.fromkeys(column.classes[code] for column in own for code in np.unique(column.codes[column.known]))
    codes: Ints = theirs.codes_among(tuple(names))
    return codes != MISSING, []


def _ids(column: AnyColumn | Undecided | None) -> Column | None:
    """Return a column as classes; None where it is none, or a quantity."""
    column = column.column if isinstance(column, Undecided) else column
    return column if isinstance(column, Column) else None

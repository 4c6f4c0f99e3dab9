"""The columns of a table beside those of the same rows: by ids, by an index, or by position where nothing says else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.cells import Written
from audit.data.joins.ids import Ids, Labels, ids_of, is_float, is_key, same_order, words_of
from audit.errors import DataError


@dataclass(frozen=True)
class Joined:
    """What a table adds to vectors."""

    columns: dict[str, Labels]
    """Its columns that the vectors lack, in their order; n rows each, if rows of both were told or are as many."""
    notes: tuple[str, ...]
    """By what rows were put side by side, and what is not what it seems."""
    is_told: bool
    """Whether something says whose each row is; else rows were taken by their position."""


@dataclass(frozen=True)
class Side:
    """The labels of one of two files."""

    columns: Mapping[str, Labels]
    index: Mapping[str, Labels]
    """The levels of an index without a name, as pandas wrote it; empty if there is none."""


def beside(own: Side, more: Side, source: str) -> Joined:
    """Put the columns of a table beside those of the vectors, and say by what: columns of one name are the key.

    Where both have the same values in the same order, rows stay; where the values differ in every row, rows of the
    table go where those are, and rows that are not asked for are left out; with no such column, the index of pandas'
    is taken in its place; without either, rows go by their order, unless other columns show that it is another one.

    Raises DataError if the common columns cannot tell which row is whose, or ids of both files say that a row of the
    one stands beside another row of the other.
    """
    key = _key(own.columns, more.columns)
    here, there = (_rows(one.columns, key) for one in (own, more))
    named = " and ".join(map(repr, key))
    if key and here != there:
        order = _order(here, there, named, source)
        return _joined(own, more, order, f"rows of {source} were put in the order of the vectors by {named}")
    if key and len({*here}) == len(here):
        return _joined(own, more, None, f"rows of {source} have the very {named} of the vectors")
    if (by_index := _by_index(own, more, key, source)) is not None:
        return by_index
    agreed, differing = _by_place(own, more, key, source)
    note = f"rows of {source} were taken in the order of the vectors"
    if agreed:
        note += f", and {agreed} says the same"
    elif key:
        note += f": they have the very {named}, which several rows share"
    else:
        note += ": no column says whose they are"
    return _joined(own, more, None, note, *differing, is_told=bool(agreed))


def _key(own: Mapping[str, Labels], more: Mapping[str, Labels]) -> list[str]:
    """Return the columns that say whose a row is: floats only where no other ones tell all rows apart."""
    key = [name for name in more if name in own and is_key(own[name])]
    sure = [name for name in key if not is_float(own[name])]
    return sure if sure and len({*_rows(own, sure)}) == len(words_of(own[sure[0]])) else key


def _rows(columns: Mapping[str, Labels], key: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the words of each row in some columns, n if there is one."""
    return list(zip(*(words_of(columns[name]) for name in key), strict=True))


def _order(here: Sequence[object], there: Sequence[object], named: str, source: str) -> list[int]:
    """Return the row of the table that is that of each vector. Raises a DataError where that is unclear."""
    places = {words: place for place, words in enumerate(there)}
    if len(places) < len(there) or len({*here}) < len(here):
        raise DataError(
            f"{named} stands in the embeddings and in {source}, in another order, and rows have it in common, so "
            "it cannot tell which row is whose. Give both a column that differs in every row, such as an id, and leave "
            "what is no id out of one of them."
        )
    if gone := sum(words not in places for words in here):
        raise DataError(
            f"{gone} of {len(here)} rows have a {named} that is not in {source}. Give the table of all rows, write ids "
            "alike in both, and leave what is no id out of one of them."
        )
    return [places[words] for words in here]


def _by_index(own: Side, more: Side, key: Sequence[str], source: str) -> Joined | None:
    """Put rows where the index of pandas' says, if both files have one that does; None if it says nothing.

    Raises a DataError if the indexes differ and may be of the same rows: a count from 0 may be of rows that were never
    shuffled, or of such whose index was reset.
    """
    levels = [*own.index]
    if not levels or levels != [*more.index]:
        return None
    here, there = (_rows(one.index, levels) for one in (own, more))
    counts = [rows == [(str(place),) for place in range(len(rows))] for rows in (here, there)]
    tells = [len({*rows}) == len(rows) for rows in (here, there)]
    if here == there:
        note = f"rows of {source} have the very index of the vectors"
        return _joined(own, more, None, note) if all(tells) and not any(counts) else None
    if all(counts) or (any(counts) and not all(tells)):
        return None
    if any(counts) or not all(tells) or not {*here} <= {*there}:
        raise DataError(
            f"The index that pandas wrote beside the vectors and that of {source} differ, and no column says whose a "
            "row is. Save both with it as a column, df.reset_index(names='row'), by which rows are joined then; or, "
            "if they stand side by side, without it: df.reset_index(drop=True)."
        )
    here, there = (
        [(*row, *words) for row, words in zip(rows, _rows(one.columns, key) or [()] * len(rows), strict=True)]
        for rows, one in ((here, own), (there, more))
    )
    order = _order(here, there, " and ".join(["index", *map(repr, key)]), source)
    return _joined(own, more, order, f"rows of {source} were put in the order of the vectors by their index")


def _by_place(own: Side, more: Side, key: Sequence[str], source: str) -> tuple[str, tuple[str, ...]]:
    """Return which columns say that rows stand in one order, if any, and a note on each of one name that differs.

    Raises a DataError if two say that they do not.
    """
    agreed = ""
    here, there = (_ids(one, key) for one in (own, more))
    alike: set[str] = set()
    for name, ids in here.items():
        for other, found in there.items():
            same = same_order(ids, found)
            if same is False:
                raise DataError(
                    f"{_called(name, own)} of the embeddings and {_called(other, more)} of {source} name mostly the "
                    "same rows in another order, and rows would go by their place. Write them alike in both, as "
                    "whole numbers or text, in a column of one name, by which rows are joined then; or leave out what "
                    "is no id."
                )
            if same:
                alike |= {name} & {other}
                agreed = agreed or f"{_called(name, own)} beside {_called(other, more)}"
    shared = [name for name in own.columns if name in more.columns and name not in key and name not in alike]
    notes = (f"{name!r} of {source} differs from that of the vectors, which was taken" for name in shared)
    return agreed, tuple(notes)


def _ids(side: Side, key: Sequence[str]) -> dict[str, Ids]:
    """Return the columns of a file that may say of which order rows are; an index that counts them says nothing."""
    levels = {
        name: values for name, values in side.index.items() if words_of(values) != [*map(str, range(len(values)))]
    }
    held = {name: values for name, values in {**side.columns, **levels}.items() if name not in key}
    return {name: ids for name, values in held.items() if (ids := ids_of(values)) is not None}


def _called(name: str, side: Side) -> str:
    return "the index" if name in side.index else repr(name)


def _joined(own: Side, more: Side, order: list[int] | None, *notes: str, is_told: bool = True) -> Joined:
    others = {name: values for name, values in more.columns.items() if name not in own.columns}
    if order is not None:
        others = {name: _taken(values, order) for name, values in others.items()}
    return Joined(others, notes, is_told)


def _taken(values: Labels, order: list[int]) -> Labels:
    """Return the rows of a column in an order."""
    if isinstance(values, Written):
        return Written(values.cells.iloc[order].reset_index(drop=True))
    if isinstance(values, pd.Series):
        return pd.Series(values.iloc[order]).reset_index(drop=True)
    taken: NDArray[np.generic] = values[np.array(order)]
    return taken

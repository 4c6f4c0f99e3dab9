"""What the cells of two columns say of the order of rows: the same ids in the same places, or in others."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.cells import Floats, Written, fold, number, spelling

Labels = NDArray[np.generic] | Written | pd.Series
"""Of n rows."""
MOST_SHARED = 20
"""A column of more different values than this may say of which order rows are, though each is of several rows."""
MOST = 0.5
"""Share of the rows, beyond which ids differ in most of them, or most of them stand in both columns."""
ALL = 0.998
"""Share from which on values that several rows have are the same in both columns, but for a stray one."""
DIGITS = (6, 3)
"""In which two files have a number with a fraction at least, or one of them that was rounded."""
CLOSE = 1e-3
"""Difference of two files' numbers that is one of writing, in standard deviations."""
_SUFFIX = re.compile(r"\.[a-z][a-z0-9]{1,4}", re.IGNORECASE)
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Ids:
    """A column that may say of which order rows are."""

    forms: tuple[list[str], ...]
    """Its values, n in each: as they are written; as the stem of a file's name; as the only number in it."""
    numbers: Floats | None
    """Numbers, some of them with a fraction, (n,), NaN where there is none; None of other values."""


def words_of(values: Labels) -> list[str]:
    """Return a column's values as text in one spelling, n; empty where there is none."""
    cells = _cells(values)
    try:
        codes, different = pd.factorize(cells)
    except TypeError:  # lists have no hash
        return [*map(_word, cells)]
    words = np.array([*map(_word, different), ""], dtype=object)
    found: list[str] = words[codes].tolist()
    return found


def is_float(values: Labels) -> bool:
    """Return whether a file says that a column is of numbers with a fraction, whatever these are."""
    return not isinstance(values, Written) and values.dtype.kind == "f"


def is_key(values: Labels) -> bool:
    """Return whether a column may say whose a row is: numbers with a fraction are written with more or fewer digits."""
    if not is_float(values):
        return True
    numbers = np.asarray(values, dtype=np.float64)
    held = numbers[np.isfinite(numbers)]
    return bool((held == held.round()).all())


def ids_of(values: Labels) -> Ids | None:
    """Return a column's values as they are compared; None where they tell too few rows apart."""
    try:
        codes, different = pd.factorize(_cells(values))
    except TypeError:  # lists have no hash, and are no ids
        return None
    if len(different) <= min(MOST_SHARED, MOST * len(codes)):
        return None
    words = [*map(_word, different)]
    read = [number(one) for one in words]
    if all(one is not None for one in read) and any(one != round(one) for one in read if one is not None):
        numbers = np.array([*read, np.nan], dtype=np.float64)[codes]
        forms = [[f"{0.0 if one is None else one:.{digits}g}" for one in read] for digits in DIGITS]
    else:
        stems = [word if one is not None else _stem(word) for word, one in zip(words, read, strict=True)]
        numbers, forms = None, [words, stems, _only_number(stems)]
    return Ids(tuple(np.array([*one, ""], dtype=object)[codes].tolist() for one in forms), numbers)


def same_order(own: Ids, other: Ids) -> bool | None:
    """Return whether two columns hold the same ids in the same places, or (False) in others; None if neither."""
    if (own.numbers is None) != (other.numbers is None) or len(own.forms[0]) != len(other.forms[0]):
        return None
    if own.numbers is not None and other.numbers is not None and _close(own.numbers, other.numbers):
        return True
    found = [_same_places(*pair) for pair in zip(own.forms, other.forms, strict=True)]
    return next((one for one in found if one is not None), None)


def _same_places(own: Sequence[str], other: Sequence[str]) -> bool | None:
    here, there = Counter(filter(None, own)), Counter(filter(None, other))
    shared = (here & there).total()
    differs = min(len(here), len(there)) > MOST * len(own)
    if shared <= MOST * len(own) if differs else shared < ALL * len(own):
        return None
    return sum(bool(one) and one == found for one, found in zip(own, other, strict=True)) >= shared


def _close(own: Floats, other: Floats) -> bool:
    """Return whether numbers are the same row by row, but for how they were rounded and for a stray one."""
    both = np.isfinite(own) & np.isfinite(other)
    if both.sum() <= MOST * len(own):
        return False
    near = np.abs(own[both] - other[both]) <= CLOSE * np.std(own[both]) + np.finfo(np.float32).eps * np.abs(own[both])
    return bool(near.mean() >= ALL)


def _cells(values: Labels) -> "NDArray[np.generic] | pd.Series":
    return values.cells if isinstance(values, Written) else values


def _word(value: object) -> str:
    return spelling(value.decode(errors="backslashreplace") if isinstance(value, bytes) else value)


def _stem(word: str) -> str:
    """Return what names of one file share that are written with its folder, its suffix, or neither."""
    name = (PureWindowsPath if "\\" in word else PurePath)(word).name
    path = PurePath(name)
    return fold(path.stem if _SUFFIX.fullmatch(path.suffix) else name)


def _only_number(words: list[str]) -> list[str]:
    """Return the number in each, if all are alike but for it, as `img_007` and `img_12` are; else the words."""
    if len({_DIGITS.sub("#", word) for word in words}) != 1 or len(_DIGITS.findall(words[0])) != 1:
        return words
    return [_DIGITS.findall(word)[0].lstrip("0") or "0" for word in words]

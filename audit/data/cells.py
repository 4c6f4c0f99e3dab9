"""What the cells of a column say: one list of words that mean missing, and one spelling of each class or number.

Every format goes through here, so that a file says the same as CSV, Parquet, JSON lines, NumPy arrays or Python lists.
"""

import datetime
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Number
from pathlib import PurePath
from uuid import UUID

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.data.in_python.days import days_of
from audit.errors import BLANK, UNSEEN, DataError, in_one_line

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
MISSING = -1
"""Code of a row whose class is not known."""
MISSING_WORDS = ("?",)
"""Words that mean missing unless the user names others; an empty cell, null and NaN always do."""
USUAL_WORDS = frozenset(
    {"?", "-", "--", ".", "...", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "nat", "none", "null", "nil", "unk"}
    | {"unknown", "missing", "undefined", "unspecified", "not available", "not known", "not specified", "no answer"}
    | {"n.a", "n. a.", "n/a.", "n/d", "s/d", "#null!", "#ref!", "#value!", "no data", "no response", "don't know"}
    | {"not applicable", "not recorded", "not reported", "not stated", "prefer not to say", "refused", "unavailable"}
    | {"k.a.", "k. a.", "k.a", "keine angabe", "unbekannt", "nicht bekannt", "fehlt", "onbekend", "ukendt", "ukjent"}
    | {"okänd", "inconnu", "inconnue", "non connu", "non renseigné", "desconocido", "desconocida", "sin datos"}
    | {"no disponible", "desconhecido", "desconhecida", "não informado", "sconosciuto", "sconosciuta", "non noto"}
    | {"nieznany", "nieznana", "nieznane", "brak danych", "неизвестно", "нет данных", "bilinmiyor", "不明", "未知"}
    | {"不详", "不詳", "無回答", "未回答", "미상", "알 수 없음", "غير معروف"}
)
"""Words that often mean missing, in small letters: a reader is told where one counts as a class."""
LARGEST_WHOLE = 2**53
"""From here on a float does not hold every whole number, and two ids would become one."""
FEW = 10
"""Counts below this are withheld in a note."""
MOST_DIGITS = 400
"""Characters of a number at most: a float has 309 before its point. Longer text is text."""
LARGEST_BITS = 1023
"""Of a whole number that a float reaches."""
_NUMBER = re.compile(r"[+-]?(\d++\.?\d*+|\.\d++)([eE][+-]?\d{1,3})?")
_LEADING_ZERO = re.compile(r"[+-]?0\d")
_COMMA = re.compile(r"[+-]?\d++,\d++")
_LONGEST_AMOUNT = 60
_AMOUNT = re.compile(
    r"(?:[^\W\d_]+\W?\s)?[\W_]{0,4}(?:\d{1,3}(?:[,.'\u2019\s]\d{3})+(?:[.,]\d+)?|\d*[.,]?\d+(?:[eE][+-]?\d+)?)[^\d]*"
)
"""A number with a word, a sign or a currency before it, and a unit or a sign behind; `a12` is a code."""
_EDGES = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\0\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
_WRITABLE = (
    *(datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64, pd.Period, pd.Interval),
    *(Number, UUID, PurePath),
)


_LATIN = {
    "ABEKMHOPCTYXIJS": "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405",
    "aeopcyxijshd": "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501",
    "ABEZHIKMNOPTYX": "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aikovpuxi": "\u03b1\u03b9\u03ba\u03bf\u03bd\u03c1\u03c5\u03c7\u0131",
    "-------": "\u2010\u2011\u2012\u2013\u2014\u2015\u2212",
    "''''": "\u2018\u2019\u02bc\u2032",
}
"""Letters of Cyrillic and Greek, dashes and quotes, by what they are taken for when they are read."""
_SEEN_AS = {ord(one): seen for latin, others in _LATIN.items() for seen, one in zip(latin, others, strict=True)}


@dataclass(frozen=True)
class Written:
    """Cells of a text file that says nothing of their kind, such as CSV."""

    cells: pd.Series
    """Text, (n,); empty where there is none."""

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class Cells:
    """A column by its different cells."""

    codes: Ints
    """Which of the values each row holds, (n,); MISSING where the format itself has none."""
    values: tuple[object, ...]
    """Each different cell; text as it is written."""
    kind: str
    """`numbers`; `text`; `written`, text that may stand for numbers; or `ordered`, categories in an order of theirs."""
    days: Floats | None = None
    """What each of the values is in days, if all are dates, times or durations, and no text."""

    @property
    def counts(self) -> Ints:
        """Rows of each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values)).astype(np.int64)


def read_cells(name: str, values: object) -> Cells:
    """Take a column apart. Raises DataError if the values are no column of text or numbers."""
    if isinstance(values, Written):
        codes, different = pd.factorize(values.cells)
        return Cells(codes.astype(np.int64), tuple(different.to_numpy(dtype=object).tolist()), "written")
    series = _series(name, values)
    if isinstance(series.dtype, pd.CategoricalDtype):
        words = tuple(_text(name, one) for one in series.cat.categories)
        return Cells(series.cat.codes.to_numpy().astype(np.int64), words, "ordered", _days(series.cat.categories))
    days = None
    if pd.api.types.is_bool_dtype(series) or not pd.api.types.is_numeric_dtype(series):
        held = series[series.notna()]
        numbers = series.dtype == object and len(held) and held.map(_is_number).all()
        told = _as_numbers(held) if numbers else _as_text(name, held)
        days = None if numbers else _days(held[~told.duplicated()])
        series = told.reindex(series.index)
    codes, distinct = pd.factorize(series)
    kind = "numbers" if pd.api.types.is_numeric_dtype(series) else "text"
    return Cells(codes.astype(np.int64), tuple(distinct.tolist()), kind, days)


def clean(text: str) -> str:
    """Return a text in Unicode's NFC without blanks, byte-order marks and NULs around it."""
    return unicodedata.normalize("NFC", text).strip(_EDGES)


def fold(text: str) -> str:
    """Return what two spellings of one class share: letter case and the kind of blanks do not count."""
    return " ".join(text.split()).casefold()


def meaning(name: str) -> str:
    """Return what two names of classes share that say the same: 1, 1.0 and true; `Yes` and `yes`."""
    folded = fold(spelling(name))
    return {"true": "1", "false": "0"}.get(folded, folded)


def look(name: str) -> str:
    """Return what two names of classes share that look alike, in letters of other alphabets or with some unseen."""
    if name.isascii():
        return meaning(name)
    marks = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).translate(_SEEN_AS))
    seen = (one for one in marks if unicodedata.category(one) not in UNSEEN and not BLANK.match(one))
    return meaning("".join(seen))


def words_of(missing: Iterable[str] | None) -> frozenset[str]:
    """Return the words that mean missing as they are compared; by default MISSING_WORDS."""
    return frozenset(fold(clean(word)) for word in (MISSING_WORDS if missing is None else missing))


def is_missing(text: str, missing: frozenset[str]) -> bool:
    """Whether a cell is empty or one of the words, as `words_of` returns them."""
    folded = fold(clean(text))
    return not folded or folded in missing


def number(text: str) -> float | None:
    """Return the number that a text is, or None; `nan` and `inf` are none."""
    value = float(text) if len(text) <= MOST_DIGITS and _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def numbers_of(texts: Sequence[str]) -> Floats | None:
    """Return the numbers that texts are if all are numbers, blanks around them aside, (m,); else None."""
    if not texts or number(clean(texts[0])) is None:
        return None
    try:
        read = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    except ValueError:
        return None
    return read if np.isfinite(read).all() and "_" not in "".join(texts) else None


def is_code(text: str) -> bool:
    """Whether digits begin with a zero that a number would not have, as in a zip code."""
    return text[:1] in ("0", "+", "-") and _LEADING_ZERO.match(text) is not None


def has_comma(text: str) -> bool:
    """Whether a text is digits with one comma in them: a decimal, or thousands."""
    return _COMMA.fullmatch(text) is not None


def is_amount(text: str) -> bool:
    """Whether a text is one number, with at most a word, a sign or a unit about it: `60+`, `25 years`, `$1,200.50`."""
    return len(text) <= _LONGEST_AMOUNT and _AMOUNT.fullmatch(text) is not None


def spelling(value: object) -> str:
    """Return a number or another value in one spelling: 1234.0 is 1234, and of many digits none is lost."""
    if isinstance(value, str):
        text = clean(value)
        if number(text) is None or is_code(text):
            return text
        exact = Decimal(text)
        return str(int(exact)) if exact == exact.to_integral_value() else str(float(text))
    if isinstance(value, float | Decimal | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def in_order(names: Iterable[str]) -> list[str]:
    """Return names of classes in ascending order: of their numbers if all are numbers, else of their text."""
    listed = list(names)
    if all(number(name) is not None for name in listed):
        return sorted(listed, key=lambda name: (Decimal(name), name))
    return sorted(listed)


def rows_told(count: int) -> str:
    """Return a number of rows in words, without singling a few people out."""
    return f"{count:,} rows" if count >= FEW else f"fewer than {FEW} rows"


def typed(cells: Cells, missing: frozenset[str]) -> pd.Series:
    """Return a column as a table holds it: numbers and booleans where all cells are, missing ones without a value.

    In a column of numbers the usual words for missing are missing too.
    """
    words = [clean(str(one)) for one in cells.values]
    held = [word for word in words if not is_missing(word, missing)]
    numbers = [number(word) for word in held if fold(word) not in USUAL_WORDS]
    if None not in numbers:
        read: Sequence[object] = [number(word) for word in words]
        if None not in read and all(re.fullmatch(r"[+-]?\d{1,18}", word) for word in words):
            read = [int(word) for word in words]
    elif {fold(word) for word in held} <= {"true", "false"}:
        read = [None if is_missing(word, missing) else fold(word) == "true" for word in words]
    else:
        read = [None if is_missing(word, missing) else one for word, one in zip(words, cells.values, strict=True)]
    taken = pd.Series(list(read), dtype=None if read else float).reindex(cells.codes)
    return taken.reset_index(drop=True)


def _series(name: str, values: object) -> pd.Series:
    try:
        dimensions = np.ndim(values)  # type: ignore[arg-type]
        if isinstance(values, np.ndarray) and values.dtype.kind == "S":
            try:
                values = np.char.decode(values, "utf-8")
            except UnicodeDecodeError:
                raise _no_text(name) from None
        exact = object if isinstance(values, list | tuple) else None  # a gap would turn whole numbers into floats
        series = pd.Series(values, dtype=exact) if dimensions == 1 else None
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"Column {name!r} cannot be read: {in_one_line(error)}. Give one value a row.") from None
    if series is None:
        raise DataError(f"Column {name!r} has {dimensions} dimensions. Give one value a row.")
    if series.dtype.kind in "cV":
        raise DataError(f"Column {name!r} holds {series.dtype} values. Give text or plain numbers.")
    if fact := next(filter(None, map(_unheld, [name, *(series if series.dtype == object else ())])), None):
        raise DataError(f"Column {name!r} holds {fact}, which nothing can be made of. Write it otherwise.")
    return series.reset_index(drop=True)


def _no_text(name: str) -> DataError:
    return DataError(
        f"Column {name!r} holds bytes that are no UTF-8, and read as such two classes may become one. Decode them as "
        "what they are, for instance one.decode('latin-1') of each."
    )


def _unheld(value: object) -> str | None:
    """Return what a value is that Python holds and no table, no file and no float does."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return "half a character of Unicode's"
    if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
        return f"a whole number of more than {MOST_DIGITS - 100} digits"
    return "a Decimal sNaN" if isinstance(value, Decimal) and value.is_snan() else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal | np.integer | np.floating) and not isinstance(value, bool)


def _as_numbers(held: pd.Series) -> pd.Series:
    """Return numbers of Python's as whole ones or floats, or as text where one of these would lose digits."""
    largest = max(abs(one) for one in held if math.isfinite(one)) if held.map(math.isfinite).any() else 0
    if held.map(lambda one: isinstance(one, int | np.integer)).all() and largest < 2**63:
        return held.astype("Int64")
    whole = held.map(lambda one: isinstance(one, int | np.integer))
    if any(abs(one) >= LARGEST_WHOLE for one in held[whole]):
        return held.map(spelling)
    return held.astype(float)


def _as_text(name: str, held: pd.Series) -> pd.Series:
    return held.astype(object).map(lambda one: _text(name, one))


def _days(values: "pd.Series | pd.Index") -> Floats | None:
    return None if any(isinstance(one, str) for one in values[:1]) else days_of(values)


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise _no_text(name) from None
    if isinstance(value, _WRITABLE) and not isinstance(value, complex):
        return spelling(value)
    raise DataError(f"Column {name!r} holds values that are neither text nor numbers. Give one of them.")

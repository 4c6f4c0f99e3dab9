"""Dates, times of day and durations as numbers of days, as Python and pandas hold them or as ISO 8601 writes them."""

import datetime
import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FIRST = datetime.date(1970, 1, 1)
SECONDS = 86_400
"""Of a day."""
WRITTEN = "1990-05-31"
"""How a message shows that a date is written."""
_ISO = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2})(?P<day>-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?)?)?|(?P<hour>[0-9]{1,2})(?P<minutes>:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?)"
)


def days_of(values: Iterable[object]) -> NDArray[np.float64] | None:
    """Return dates in days since 1970-01-01, times of day since midnight, and durations, (n,); None if one is neither.

    Args:
        values: As `datetime`, NumPy or pandas have them, or text: `1990-05`, `1990-05-31 08:30:00`, `8:30`.
    """
    found = []
    for value in values:
        days = _days(_read(value) if isinstance(value, str) else value)
        if days is None:
            return None
        found.append(days)
    return np.array(found, dtype=np.float64) if found else None


def _read(text: str) -> object:
    """Return the date or the time that a text is, or None."""
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    try:
        if found["hour"]:
            return datetime.time.fromisoformat(found["hour"].zfill(2) + found["minutes"])
        return datetime.datetime.fromisoformat(found["date"] + (found["day"] or "-01"))
    except ValueError:  # a month or a minute of which there is none
        return None


def _days(value: object) -> float | None:
    if isinstance(value, pd.Period | pd.Timestamp | np.datetime64 | np.timedelta64):
        return _of_numpy(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds() / SECONDS
    if isinstance(value, datetime.time):
        return _of_midnight(value)
    if isinstance(value, datetime.datetime):
        at_zero = value if value.tzinfo is None else value.astimezone(datetime.UTC)
        return at_zero.toordinal() - FIRST.toordinal() + _of_midnight(at_zero.time())
    return value.toordinal() - FIRST.toordinal() if isinstance(value, datetime.date) else None


def _of_numpy(value: "pd.Period | pd.Timestamp | np.datetime64 | np.timedelta64") -> float | None:
    try:
        value = value.start_time if isinstance(value, pd.Period) else value
        value = value.to_datetime64() if isinstance(value, pd.Timestamp) else value
        past = value - np.datetime64(0, "D") if isinstance(value, np.datetime64) else value
        return float(past / np.timedelta64(1, "D"))
    except (TypeError, ValueError, OverflowError):  # a duration of months has no days
        return None


def _of_midnight(time: datetime.time) -> float:
    return ((time.hour * 60 + time.minute) * 60 + time.second + time.microsecond / 1e6) / SECONDS

"""Numbers as a reader should see them: no more digits than the interval deserves, baselines beside them.

Shares come in as [0, 1] and leave as percent; differences of shares leave as percentage points.
"""

import unicodedata
from dataclasses import dataclass

from audit.evidence import Estimate, Leakage

LONGEST_NAME = 80
LONGEST_TEXT = 800


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval, ready to print."""

    value: str
    interval: str
    """Empty for a figure that has none."""

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value


def percent(share: float, digits: int = 1) -> str:
    """Return a share as percent, whole percents without a decimal: `10 %`, `33.3 %`."""
    return f"{_trimmed(100 * share, digits)} %"


def measured(share: float) -> str:
    """Return a measured share that comes without an interval: `10.0 %`."""
    return f"{_fixed(100 * share, 1)} %"


def share(estimate: Estimate) -> Figure:
    """Return a share with its interval: `43.1 %` and `40.2–46.0`."""
    digits = _digits(100 * (estimate.high - estimate.low))
    value, low, high = (_fixed(100 * x, digits) for x in (estimate.value, estimate.low, estimate.high))
    return Figure(f"{value} %", f"{low}–{high}")


def excess(estimate: Estimate, limit: float) -> Figure:
    """Return an excess in points, with the digits it takes to see on which side of the limit its ends lie."""
    ends = 100 * estimate.low, 100 * estimate.high
    digits = _digits(ends[1] - ends[0])
    while digits < 4 and any(_side(round(end, digits), 100 * limit) != _side(end, 100 * limit) for end in ends):
        digits += 1
    value, low, high = (_fixed(100 * x, digits) for x in (estimate.value, estimate.low, estimate.high))
    return Figure(f"{value} points", f"{low} to {high}")


def points(difference: float) -> str:
    """Return a signed difference of two shares: `+1.2 points`, `−0.4 points`."""
    text = _fixed(100 * difference, 1)
    return f"{'+' if text[0] != '−' and text != '0.0' else ''}{text} points"


def limit_points(limit: float) -> str:
    """Return a limit as the user gave it: `5 points`, `0.25 points`."""
    return f"{_trimmed(100 * limit, 3)} points"


def bits(estimate: Estimate) -> Figure:
    """Return usable information in bits; a negative estimate means nothing could be read and shows as 0."""
    width = round(estimate.high - estimate.low, 9)
    digits = 1 if width >= 1 else 2 if width >= 0.1 or width == 0 else 3
    value, low, high = (max(0.0, x) for x in (estimate.value, estimate.low, estimate.high))
    return Figure(f"{value:.{digits}f} bits", f"{low:.{digits}f}–{high:.{digits}f}")


def bits_share(estimate: Estimate, entropy: float) -> Figure:
    """Return usable information as percent of H(v), the most there is to read."""
    if entropy <= 0:
        return Figure("no entropy", "")
    digits = _digits(100 * (estimate.high - estimate.low) / entropy)
    value, low, high = (
        _fixed(100 * max(0.0, x) / entropy, digits) for x in (estimate.value, estimate.low, estimate.high)
    )
    return Figure(f"{value} %", f"{low}–{high}")


def null_estimate(leakage: Leakage) -> Estimate:
    """Return the null band as a figure with an interval."""
    return Estimate(value=leakage.null.mean, low=leakage.null.low, high=leakage.null.high)


def count(number: int) -> str:
    """Return a whole number with its thousands apart: `12,000`."""
    return f"{number:,}"


def hexdigits(digest: str, length: int = 12) -> str:
    """Return the start of a digest, enough to tell two apart by eye."""
    return one_line(digest if len(digest) <= length else digest[:length] + "…")


def shorten(text: str, length: int = LONGEST_NAME) -> str:
    """Return a long name with its middle left out, so that both its start and its end still tell."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def one_line(text: str) -> str:
    """Return a name that is safe in one line of a terminal: short, no control or direction characters."""
    shown = "".join(" " if unicodedata.category(mark) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else mark for mark in text)
    return shorten(" ".join(shown.split()))


def _digits(width: float) -> int:
    """Decimals of a figure whose interval is `width` points wide: about two digits of the uncertainty."""
    if width >= 10:
        return 0
    return 2 if 0 < width < 0.5 else 1


def _fixed(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _trimmed(value: float, digits: int) -> str:
    text = _fixed(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _side(value: float, limit: float) -> int:
    return 0 if abs(value - limit) < 1e-9 else 1 if value > limit else -1

"""Numbers as a reader should see them: no more digits than the interval deserves, baselines beside them.

Shares come in as [0, 1] and leave as percent; differences of shares leave as percentage points. AUROC and R²
leave as decimals.
"""

import math
from dataclasses import dataclass

from audit.errors import runs_left, visible
from audit.evidence.findings import Estimate

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
    return f"{trimmed(100 * share, digits)} %"


def measured(share: float) -> str:
    """Return a measured share that comes without an interval: `10.0 %`."""
    return f"{fixed(100 * share, 1)} %"


def share(estimate: Estimate) -> Figure:
    """Return a share with its interval: `43.1 %` and `40.2–46.0`."""
    return _figure(estimate, _digits(100 * (estimate.high - estimate.low)), scale=100, unit=" %")


def decimal(estimate: Estimate) -> Figure:
    """Return a figure that is no share, AUROC or R², with its interval: `0.921` and `0.900–0.942`."""
    return _figure(estimate, _decimals(estimate.high - estimate.low))


def quantity(estimate: Estimate, *, signed: bool = False) -> Figure:
    """Return a figure in an attribute's own unit with about two digits of its uncertainty: `4.2` and `3.9–4.5`."""
    width = estimate.high - estimate.low
    digits = 1 - math.floor(math.log10(width)) if width > 0 else 2
    if digits <= 6 and abs(estimate.value) < 1e9:
        return _figure(estimate, max(digits, 0), signed=signed)
    sign = "+" if signed else ""
    return Figure(f"{estimate.value:{sign}.3g}", f"{estimate.low:{sign}.3g} to {estimate.high:{sign}.3g}")


def signed_quantity(estimate: Estimate) -> Figure:
    """Return a signed change in an attribute's own unit: `−0.40` and `−0.90 to +0.10`."""
    return quantity(estimate, signed=True)


def excess(estimate: Estimate, limit: float, *, in_points: bool = True) -> Figure:
    """Return a difference of two shares, or of two R², with the digits that show on which side of the limit it ends."""
    scale = 100 if in_points else 1
    ends = scale * estimate.low, scale * estimate.high
    digits = _digits(ends[1] - ends[0]) if in_points else _decimals(ends[1] - ends[0])
    most = 4 if in_points else 6
    while digits < most and any(_side(round(end, digits), scale * limit) != _side(end, scale * limit) for end in ends):
        digits += 1
    value, low, high = (fixed(scale * x, digits) for x in (estimate.value, estimate.low, estimate.high))
    return Figure(f"{value} points" if in_points else value, f"{low} to {high}")


def bare(figure: Figure) -> Figure:
    """Return a figure without its unit, for a column that says the unit above it."""
    return Figure(figure.value.partition(" ")[0], figure.interval)


def change(estimate: Estimate, *, in_points: bool) -> Figure:
    """Return a signed change with its interval: `−1.2 points` and `−3.0 to +0.6`."""
    scale = 100 if in_points else 1
    width = scale * (estimate.high - estimate.low)
    digits = _digits(width) if in_points else _decimals(width)
    return _figure(estimate, digits, scale=scale, unit=" points" if in_points else "", signed=True)


def points(difference: float) -> str:
    """Return a signed difference of two shares: `+1.2 points`, `−0.4 points`."""
    return f"{_signed(100 * difference, 1)} points"


def limit_points(limit: float) -> str:
    """Return a limit as the user gave it: `5 points`, `0.25 points`."""
    return f"{trimmed(100 * limit, 3)} points"


def bits(estimate: Estimate) -> Figure:
    """Return usable information in bits: `0.12 bits`; below 0 the attacker is worse than the class frequencies."""
    width = round(estimate.high - estimate.low, 9)
    return _figure(estimate, 1 if width >= 1 else 2 if width >= 0.1 or width == 0 else 3, unit=" bits")


def bits_share(estimate: Estimate, entropy: float) -> Figure:
    """Return usable information as percent of H(v), the most there is to read."""
    if entropy <= 0:
        return Figure("no entropy", "")
    share = Estimate(**{end: 100 * value / entropy for end, value in estimate.model_dump().items()})
    return _figure(share, _digits(share.high - share.low), unit=" %")


def bits_of(estimate: Estimate, entropy: float) -> str:
    """Return usable information beside the most there is: `0.12 of 1.00 (12 %)`, `−0.02 of 1.00 (−2 %)`."""
    share = fixed(100 * (estimate.value / entropy if entropy > 0 else 0), 0)
    return f"{fixed(estimate.value, 2)} of {entropy:.2f} ({share} %)"


def at_most_percent(share: float) -> str:
    """Return an upper bound on a share as percent, rounded up: `15.8`."""
    return at_most(100 * share, 1)


def at_most(value: float, digits: int) -> str:
    """Return an upper bound, rounded up: never printed lower than it is."""
    scale = 10**digits
    return f"{math.ceil(round(scale * value, 6)) / scale:.{digits}f}"


def trimmed(value: float, digits: int) -> str:
    """Return a number without the zeros that end it."""
    text = fixed(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(number: int) -> str:
    """Return a whole number with its thousands apart: `12,000`."""
    return f"{number:,}"


def of_held(used: int, held: int) -> str:
    """Return how many rows were used, and of how many where these are more: `10,000 of 60,000`."""
    return count(used) if used >= held else f"{count(used)} of {count(held)}"


def rows_told(number: int) -> str:
    """Return a number of rows in words: `1 row`, `12 rows`."""
    return f"{count(number)} row{'' if number == 1 else 's'}"


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
    """Return a name for one line: short, and as `visible` shows it."""
    return shorten(" ".join(visible(text).split()))


def plain(text: str) -> str:
    """Return a sentence for one line: as `one_line` word by word, and not cut as short as a name."""
    return shorten(" ".join(map(shorten, visible(text).split())), LONGEST_TEXT)


def named(text: str) -> str:
    """Return a name for the middle of a sentence: as `one_line`, and one that runs to the left turns nothing else."""
    shown = one_line(text)
    return f"\N{FIRST STRONG ISOLATE}{shown}\N{POP DIRECTIONAL ISOLATE}" if runs_left(shown) else shown


def _digits(width: float) -> int:
    """Decimals of a figure whose interval is `width` points wide: about two digits of the uncertainty."""
    return 0 if width >= 10 else 2 if 0 < width < 0.5 else 1


def _decimals(width: float) -> int:
    """Decimals of AUROC or R² whose interval is `width` wide."""
    return 2 if width >= 0.1 else 4 if 0 < width < 0.005 else 3


def _figure(estimate: Estimate, digits: int, *, scale: int = 1, unit: str = "", signed: bool = False) -> Figure:
    written = _signed if signed else fixed
    value, low, high = (written(scale * x, digits) for x in (estimate.value, estimate.low, estimate.high))
    between = " to " if signed or low.startswith("−") else "–"
    return Figure(f"{value}{unit}", f"{low}{between}{high}")


def _signed(value: float, digits: int) -> str:
    text = fixed(value, digits)
    return text if text.startswith("−") or float(text) == 0 else f"+{text}"


def fixed(value: float, digits: int) -> str:
    """Return a number with so many decimals and a true minus sign, and no sign where it is printed as 0."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _side(value: float, limit: float) -> int:
    return 0 if abs(value - limit) < 1e-9 else 1 if value > limit else -1

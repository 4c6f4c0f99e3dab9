"""What a release could reach, before any training: from the evidence of an audit, and from how many rows there are.

Two laws answer. A code of K words, each about as likely under every private class among the rows that fit it, leaves
nothing to be read but their noise, and is bounded by that and the noise of the rows that count it: at most about
.4 √(K / fitting + K / audited) + 1.2 / √audited of balanced accuracy for two classes. A projection to r dimensions
leaves .4 √(r / n) and more to who has unlimited rows (sanitizer.methods.width): that is the law of what is linear, and
what is not comes on top. How much stays of other attributes no law tells; it is what was kept where it was measured
(benchmarks/kept.py), of what could be kept at best (audit.protocol.kept.at_best).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Final

import numpy as np

from audit.column_names import several
from audit.errors import EvidenceError, IreneError, UnknownNameError, as_float, is_share
from audit.evidence.audit_result import AuditResult, QuantityTask, Task, as_audit
from audit.evidence.findings import Finding, Measurement
from audit.evidence.verdict import CONFIDENCE
from audit.evidence.watched import AREA, GUESS
from sanitizer.method_table import release_for
from sanitizer.methods.pairs import ROWS_PER_WORD
from sanitizer.methods.width import EXCESS_PER_ROOT, dimensions

WORDS: Final = (32, 64, 128, 256, 512)
KEPT: Final[Mapping[int, tuple[float, float]]] = {
    64: (0.90, 0.93), 256: (0.95, 0.97), 512: (0.96, 0.96), 1024: (0.99, 0.99),
}  # fmt: skip
"""By words, the least and most of what could be kept at best that pairs kept on the tables of benchmarks/kept.py."""
KEPT_ROWS: Final = 16_280
"""Rows that fitted these, at least: of fewer, less is kept."""
BEYOND: Final = (0.08, 0.12)
"""What rich, of eight dimensions, and a map to sixteen left beyond the law of what is linear, on Adult: of the same."""
RICH: Final = 8
"""Dimensions of a rich release."""
SEED, DRAWS = 0, 4_000
DOUBLINGS, MOST_ROWS = 20, 2_000_000
"""Half doublings of the audited rows that are tried, and where that ends."""
Classes = tuple[list[int], float]
"""Audited rows of each class, and the floor."""


@dataclass(frozen=True)
class Release:
    """One release, and what it comes to."""

    method: str
    """`codebook`, `pairs`, `rich` or `map`."""
    size: int
    """Words, or dimensions."""
    leaves: float
    """Balanced accuracy above the floor that is expected to be read, at least; 0 of a code."""
    bound: float | None
    """What the audited rows could bound any attacker to, about, above the floor; None without a finite code."""
    worst: float | None
    """The same where no word leans on a private class: kept runs were bounded by less."""
    keeps: tuple[float, float] | None
    """Share of what is read of the attributes to keep that stays, from … to; None where nothing tells."""
    rows_needed: int | None
    """Rows for the limit: audited ones for the bound of a code; of a map, fitting ones for all dimensions; None: no
    number is enough."""

    @property
    def command(self) -> str:
        """The options of `irene sanitize` that make it, but for the layer."""
        size = {"pairs": f" --words {self.size}", "map": f" --rank {self.size}"}.get(self.method, "")
        return f"--method {self.method}{size}"


@dataclass(frozen=True)
class Plan:
    """What releases of one layer could reach."""

    layer: str
    private: tuple[Finding, ...]
    limit: float
    rows: int
    """Independent rows that may fit a release."""
    balanced: float
    """As many of two equally frequent classes tell as much of the rarest private class."""
    audited: int
    """Independent rows that were audited."""
    width: int
    not_linear: float
    """How much more than the best linear attacker the best other one reads: the law of a map's width knows none of
    it."""
    at_best: float | None
    """Share of what is read of the attributes to keep that could be kept at best; None where none was measured."""
    named: tuple[str, ...]
    """Attributes that the evidence names as to be kept."""
    has_task: bool
    releases: tuple[Release, ...]

    @property
    def is_needed(self) -> bool:
        """Whether some attribute is not within the limit, or may not be."""
        return any(one.measurement.excess.high > self.limit for one in self.private)

    @property
    def choice(self) -> Release:
        """The release that is advised: the method that `irene sanitize` would take of itself.

        Of pairs it has the most words that a bound holds within the limit; where none is held, the fewest.
        """
        method = release_for(self.named, "classes" if self.has_task else None, self.rows).method
        own = [one for one in self.releases if one.method == method]
        held = [one for one in own if one.bound is not None and one.bound <= self.limit]
        return held[-1] if held else own[0]


def plan(
    result: AuditResult | str | PathLike[str],
    *,
    rows: int,
    limit: float | None = None,
    layer: str | Sequence[str] | None = None,
) -> Plan:
    """Tell which releases of an audited layer can reach a limit, with what bound, and about how much they keep.

    Args:
        result: An audit of the model as it is, or its file.
        rows: Independent rows that may fit a release: people, where rows are of people.
        limit: Largest excess over the floor, of balanced accuracy; the audit's own if left out.
        layer: Which one, if several were audited.

    Raises:
        IreneError: No such layer, a private quantity, or no rows.
    """
    result = as_audit(result)
    _require_numbers(rows, limit)
    _require_plannable(result)
    place = _layer(result, layer)
    private = tuple(one for one in result.private if one.layer == place)
    if numbers := [one.attribute for one in private if not one.measurement.kind.percent]:
        raise EvidenceError(
            f"{numbers[0]!r} is a quantity, and the laws of a plan are of classes. Cut it into classes and audit again."
        )
    limit = result.protocol.limit if limit is None else as_float(limit)
    classes = [_classes(found.measurement) for found in private]
    independent, audited = _independent(result), max(sum(counts) for counts, _ in classes)
    balanced = min(rows * min(4 * n / sum(counts) * (1 - n / sum(counts)) for n in counts) for counts, _ in classes)
    kept = _at_best(result, place)
    has_task, read = result.task is not None, max(0.0, *(one.measurement.excess.value for one in private))
    width = private[0].measurement.projected_from or private[0].measurement.width
    releases = [] if not has_task else [_label(result, classes, independent, limit, place)]
    for words in WORDS if has_task else ():
        if words * ROWS_PER_WORD <= rows:
            bound, worst = _bounds(words, classes, independent, rows)
            needed = _needed(words, classes, independent, rows, limit)
            releases.append(Release("pairs", words, 0.0, bound, worst, _share(kept, words, rows), needed))
    for_all = int(np.ceil(width * (EXCESS_PER_ROOT / limit) ** 2 * rows / balanced)) if limit else None
    for method, rank in (("rich", RICH), ("map", dimensions(balanced, limit)))[not has_task :]:
        size = min(width, rank)
        leaves = read if size == width else min(read, left_by(size, balanced))
        releases.append(Release(method, size, leaves, None, None, None, for_all))
    return Plan(
        place,
        private,
        limit,
        rows,
        balanced,
        round(independent * audited),
        width,
        max(map(_not_linear, private)),
        kept,
        tuple(one.attribute for one in result.retained if one.layer == place),
        has_task,
        tuple(releases),
    )


def left_by(rank: int, balanced: float) -> float:
    """Return the balanced accuracy above the floor that so many dimensions leave, of so many balanced rows."""
    return float(EXCESS_PER_ROOT * np.sqrt(rank / balanced))


def _bounds(words: int, classes: Sequence[Classes], independent: float, rows: int | None) -> tuple[float, float]:
    """Return the bound of a code above the floor, about and at worst, of the attribute where it is largest."""
    return max(slack(words, counts, independent, floor, rows) for counts, floor in classes)


def slack(
    words: int, counts: Sequence[int], independent: float, floor: float, rows: int | None = None
) -> tuple[float, float]:
    """Return by how much rows bound a code above the floor, about and at worst, if its words tell what the label does.

    Of equally frequent words, as the audit of a release counts them (audit.protocol.bound): once where the label names
    the private class as often as the floor says, so that noise decides on few words, and once where it tells nothing
    of it, so that noise decides on all, which is the worst. Real words lie between, about the geometric mean.

    Args:
        words: How many there are in all.
        counts: Audited rows of each class.
        independent: The share of them that is as good as independent of each other.
        floor: Balanced accuracy of the predicted label.
        rows: Those that fit the code: words are as likely under each class among them, and only nearly so elsewhere.
            None: endlessly many.
    """
    even = _slack(words, counts, independent, 1 / len(counts), rows)
    return float(np.sqrt(_slack(words, counts, independent, floor, rows) * even)), even


def _slack(words: int, counts: Sequence[int], independent: float, floor: float, rows: int | None) -> float:
    k, each, n = len(counts), max(1, words // len(counts)), np.maximum(1.0, independent * np.array(counts))
    fitting = np.full(k, np.inf) if rows is None else np.maximum(1.0, rows * n / n.sum())
    noise = np.random.default_rng(SEED).normal(size=(DRAWS, k))
    told = 0.0
    for label in range(k):
        shares = np.where(np.arange(k) == label, floor, (1 - floor) / (k - 1)) / each  # of a word, in each class
        seen = shares + noise * np.sqrt(shares / n + shares / fitting)
        told += each * float(seen.max(axis=1).mean())
    spread = np.sqrt(np.log(1 / (1 - CONFIDENCE)) / 2 * (1 / n).sum()) / k
    return max(0.0, told / k - floor) + float(spread)


def _layer(result: AuditResult, layer: str | Sequence[str] | None) -> str:
    layers = list(dict.fromkeys(one.layer for one in result.private))
    asked = several(layer) if layer else layers
    for name in asked:
        if name not in layers:
            raise UnknownNameError("audited layer", name, layers)
    if len(asked) > 1:
        raise IreneError(f"{', '.join(asked)} were audited. Name the one that is released with --layer.")
    return asked[0]


def _classes(measurement: Measurement) -> Classes:
    return [one.train + one.select + one.test for one in measurement.classes], measurement.floor_score.value


def _independent(result: AuditResult) -> float:
    """Return the share of the audited rows that are as good as independent: groups ÷ rows."""
    splits = (result.data.train, result.data.select, result.data.test)
    return sum(one.groups for one in splits) / sum(one.rows for one in splits)


def _needed(words: int, classes: Sequence[Classes], independent: float, rows: int | None, limit: float) -> int | None:
    """Return for how many audited rows a bound above the floor comes to the limit; None where no number is enough."""
    for doubled in range(1, DOUBLINGS + 1):
        times = 2 ** (doubled / 2)
        more = [([round(times * n) for n in counts], floor) for counts, floor in classes]
        if max(sum(counts) for counts, _ in more) * independent > MOST_ROWS:
            return None
        if _bounds(words, more, independent, rows)[0] <= limit:
            return round(independent * max(sum(counts) for counts, _ in more))
    return None


def _require_numbers(rows: object, limit: object) -> None:
    """Refuse rows and a limit that are no such numbers."""
    if isinstance(rows, bool) or not isinstance(rows, int | float | np.number) or not 1 <= rows < np.inf:
        raise IreneError(f"{rows} rows can fit no release. Give how many there are, --rows 2941.")
    if limit is not None and not is_share(limit):
        raise IreneError(f"A limit of {limit} is none. Give 0 to 1, 0.05 for five points.")


def _require_plannable(result: AuditResult) -> None:
    """Raise an EvidenceError where no law is known."""
    made = result.checkpoint.sanitizing
    if made is not None and made.release is not None:
        raise EvidenceError(
            f"{result.checkpoint.file} carries a release of irene sanitize already ({made.method}). Plan from the "
            "audit of the model before."
        )
    if isinstance(result.task, QuantityTask):
        raise EvidenceError(
            f"The task {result.task.name!r} is a quantity, and the laws of a plan are of releases for tasks of "
            "classes. irene sanitize takes rich for it; audit what comes out."
        )


def _label(result: AuditResult, classes: Sequence[Classes], independent: float, limit: float, place: str) -> Release:
    """Return the release of the predicted label: it keeps of other attributes what that label tells of them."""
    answers = len(result.task.classes) if isinstance(result.task, Task) else 2
    bound, worst = _bounds(answers, classes, independent, None)
    kept = [
        (one.measurement.floor_score.value - one.measurement.guess)
        / (one.measurement.score.value - one.measurement.guess)
        for one in result.retained
        if one.layer == place and one.measurement.score.low > one.measurement.guess
    ]
    mean = float(np.clip(np.mean(kept), 0, 1)) if kept else None
    needed = _needed(answers, classes, independent, None, limit)
    return Release("codebook", answers, 0.0, bound, worst, None if mean is None else (mean, mean), needed)


def _at_best(result: AuditResult, place: str) -> float | None:
    """Return what could be kept at best ÷ what is read, mean over attributes of which something can be read."""
    pairs = [
        (one.measurement.at_best, one.measurement.figures[AREA[one.measurement.metric]], AREA[one.measurement.metric])
        for one in result.retained
        if one.layer == place
    ]
    pairs += [(one.at_best, one.figure, one.metric) for one in result.watched if one.layer == place]
    shares = [
        (best.value - GUESS[metric]) / (read.value - GUESS[metric])
        for best, read, metric in pairs
        if best is not None and read.low > GUESS[metric]
    ]
    return float(np.clip(np.mean(shares), 0, 1)) if shares else None


def _share(at_best: float | None, words: int, rows: int) -> tuple[float, float] | None:
    """Return the share that so many words keep, from what fewer to what as many or more kept; of few rows from 0 on."""
    if at_best is None:
        return None
    fewer, more = (some for some in ([n for n in KEPT if n <= words], [n for n in KEPT if n >= words]))
    low = KEPT[max(fewer)][0] if fewer and rows >= KEPT_ROWS else 0.0
    return low * at_best, KEPT[min(more)][1] * at_best


def _not_linear(one: Finding) -> float:
    measurement = one.measurement
    read: dict[bool, float] = {True: 0.0, False: 0.0}
    for attacker in measurement.attackers:
        if attacker.failure is None:
            is_linear = attacker.name == "logistic"
            read[is_linear] = max(read[is_linear], attacker.figures[measurement.metric].value)
    return max(0.0, read[False] - read[True]) if read[True] else 0.0

"""What a release could reach, before any training: from the evidence of an audit, and from how many rows there are.

Three laws answer. A code of K words, each equally likely under every private class, leaves nothing to be read, and what
bounds any attacker of it is the noise of the rows that count it, at most about .4 √(K / n) + 1.2 / √n of balanced
accuracy for two classes. A map to r dimensions leaves about .4 √(r / n) to who has unlimited rows
(sanitizer.methods.width). And nothing keeps more of another attribute than what could be kept of it at best
(audit.protocol.kept.at_best).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from audit.column_names import several
from audit.errors import EvidenceError, IreneError, UnknownNameError
from audit.evidence.audit_result import AuditResult, Task
from audit.evidence.findings import Finding, Measurement
from audit.evidence.watched import AREA, GUESS
from audit.protocol.bound import certify
from sanitizer.methods.pairs import ROWS_PER_CODE
from sanitizer.methods.width import EXCESS_PER_ROOT, dimensions

WORDS: Final = (32, 64, 128, 256, 512)
KEPT: Final[Mapping[str, tuple[float, float]]] = {"pairs": (0.77, 0.87), "map": (0.87, 1.0)}
"""Least and most of what could be kept at best that such releases kept on the sets of benchmarks/kept.py."""
SEED, DRAWS = 0, 5
Classes = tuple[list[int], float]
"""Audited rows of each class, and the floor."""


@dataclass(frozen=True)
class Release:
    """One release, and what it comes to."""

    method: str
    """`codebook`, `pairs` or `map`."""
    size: int
    """Words, or dimensions."""
    leaves: float
    """Balanced accuracy above the floor that is expected to be read."""
    bound: float | None
    """What the audited rows could bound any attacker to, about, above the floor; None without a finite code."""
    worst: float | None
    """The same where no word leans on a private class: kept runs were bounded by less."""
    keeps: tuple[float, float] | None
    """Share of what is read of the attributes to keep that stays, from … to; None where the evidence names none."""
    rows_needed: int
    """Rows for the limit: audited ones for the bound of a code; of a map, fitting ones for all dimensions."""

    @property
    def command(self) -> str:
        """The options of `irene sanitize` that make it."""
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
        """The release that is advised: the one that keeps most among those that a bound holds within the limit.

        Where the audited rows are too few for any such bound, the code with the fewest words; without a task, the map.
        """
        codes = [one for one in self.releases if one.method == "pairs"]
        if not self.has_task:
            return next(one for one in self.releases if one.method == "map")
        if not self.named or not codes:
            return self.releases[0]
        held = [one for one in codes if one.bound is not None and one.bound <= self.limit]
        return held[-1] if held else codes[0]


def plan(
    result: AuditResult, *, rows: int, limit: float | None = None, layer: str | Sequence[str] | None = None
) -> Plan:
    """Tell which releases of an audited layer can reach a limit, with what bound, and about how much they keep.

    Args:
        result: An audit of the model as it is.
        rows: Independent rows that may fit a release: people, where rows are of people.
        limit: Largest excess over the floor, of balanced accuracy; the audit's own if left out.
        layer: Which one, if several were audited.

    Raises:
        IreneError: No such layer, a private quantity, or no rows.
    """
    if rows < 1:
        raise IreneError(f"{rows} rows can fit no release. Give how many there are, --rows 2941.")
    place = _layer(result, layer)
    private = tuple(one for one in result.private if one.layer == place)
    if numbers := [one.attribute for one in private if not one.measurement.kind.percent]:
        raise EvidenceError(
            f"{numbers[0]!r} is a quantity, and the laws of a plan are of classes. Cut it into classes and audit again."
        )
    limit = result.protocol.limit if limit is None else limit
    classes = [_classes(found.measurement) for found in private]
    independent, audited = _independent(result), max(sum(counts) for counts, _ in classes)
    balanced = min(rows * min(4 * n / sum(counts) * (1 - n / sum(counts)) for n in counts) for counts, _ in classes)
    kept = _at_best(result, place)
    has_task = result.task is not None
    width = private[0].measurement.projected_from or private[0].measurement.width
    releases = [] if not has_task else [_label(result, classes, independent, limit, place)]
    for words in WORDS if has_task else ():
        if words * ROWS_PER_CODE <= rows:
            bound, worst = _bounds(words, classes, independent)
            needed = _needed(independent * audited, bound, limit)
            releases.append(Release("pairs", words, 0.0, bound, worst, _share(kept, "pairs"), needed))
    rank = min(width, dimensions(balanced, limit))
    for_all = int(np.ceil(width * (EXCESS_PER_ROOT / limit) ** 2 * rows / balanced)) if limit else 0
    releases.append(Release("map", rank, left_by(rank, balanced), None, None, _share(kept, "map"), for_all))
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


def _bounds(words: int, classes: Sequence[Classes], independent: float) -> tuple[float, float]:
    """Return the bound of a code above the floor, about and at worst, of the attribute where it is largest."""
    return max(slack(words, counts, independent, floor) for counts, floor in classes)


def slack(words: int, counts: Sequence[int], independent: float, floor: float) -> tuple[float, float]:
    """Return by how much rows bound a code above the floor, about and at worst, if its words tell what the label does.

    Rows are drawn and counted as the audit of a release counts them, with equally frequent words: once where the label
    names the private class as often as the floor says, so that noise decides on few words, and once where it tells
    nothing of it, so that noise decides on all, which is the worst. Real words lie between, about the geometric mean.

    Args:
        words: How many there are in all.
        counts: Audited rows of each class.
        independent: The share of them that is as good as independent of each other.
        floor: Balanced accuracy of the predicted label.
    """
    guess = 1 / len(counts)
    worst = _slack(words, counts, independent, guess)
    return float(np.sqrt(_slack(words, counts, independent, floor) * worst)), worst


def _slack(words: int, counts: Sequence[int], independent: float, floor: float) -> float:
    generator, k = np.random.default_rng(SEED), len(counts)
    v = np.repeat(np.arange(k), [max(1, round(independent * n)) for n in counts]).astype(np.int64)
    found = []
    for _ in range(DRAWS):
        label = np.where(generator.random(len(v)) < floor, v, (v + generator.integers(1, k, len(v))) % k)
        code = label * max(1, words // k) + generator.integers(0, max(1, words // k), len(v))
        code = np.unique(code, return_inverse=True)[1].astype(np.int64)
        found.append(certify(code, v, np.arange(len(v))).balanced_accuracy - floor)
    return float(np.mean(found))


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


def _needed(rows: float, bound: float, limit: float) -> int:
    """Return for how many rows a bound above the floor shrinks to the limit, with their root; 0 at no limit."""
    return int(np.ceil(rows * (bound / limit) ** 2)) if limit else 0


def _label(result: AuditResult, classes: Sequence[Classes], independent: float, limit: float, place: str) -> Release:
    """Return the release of the predicted label: it keeps of other attributes what that label tells of them."""
    answers = len(result.task.classes) if isinstance(result.task, Task) else 2
    bound, worst = _bounds(answers, classes, independent)
    kept = [
        (one.measurement.floor_score.value - one.measurement.guess)
        / (one.measurement.score.value - one.measurement.guess)
        for one in result.retained
        if one.layer == place and one.measurement.score.low > one.measurement.guess
    ]
    mean = float(np.clip(np.mean(kept), 0, 1)) if kept else None
    needed = _needed(independent * max(sum(counts) for counts, _ in classes), bound, limit)
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


def _share(at_best: float | None, method: str) -> tuple[float, float] | None:
    return None if at_best is None else (KEPT[method][0] * at_best, KEPT[method][1] * at_best)


def _not_linear(one: Finding) -> float:
    measurement = one.measurement
    read: dict[bool, float] = {True: 0.0, False: 0.0}
    for attacker in measurement.attackers:
        if attacker.failure is None:
            is_linear = attacker.name == "logistic"
            read[is_linear] = max(read[is_linear], attacker.figures[measurement.metric].value)
    return max(0.0, read[False] - read[True]) if read[True] else 0.0

"""Cluster bootstrap, by group, of the figures of the test rows."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from audit.data.columns import Ints
from audit.data.on_disk import HELD, filed, let_go
from audit.evidence.findings import Estimate
from audit.evidence.verdict import CONFIDENCE

BLOCK = 2_000_000
"""Numbers that a step over resamples × rows may hold at once."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Resamples:
    """How often each group of the test rows is drawn; the first resample is the rows as they are.

    Labels are classes 0 … k − 1 of the test rows, (n,); every figure has the shape (1 + resamples,).
    """

    member: Ints
    """Group of each test row, (n,), in 0 … groups − 1."""
    weights: NDArray[np.unsignedinteger]
    """Draws of each group, (1 + resamples, groups); in a mapped file if there are many."""

    def sums(self, values: NDArray[np.generic]) -> Doubles:
        """Return the sum over rows of the values, (n,) or (n, m), in each resample: (1 + resamples,) or with m."""
        wide = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
        groups = self.weights.shape[1]
        by_group = np.stack([np.bincount(self.member, column, groups) for column in wide.T], axis=1)
        total = np.concatenate([block.astype(np.float64) @ by_group for block in self._blocks(groups)])
        return total[:, 0] if values.ndim == 1 else total

    def means(self, values: NDArray[np.generic]) -> Doubles:
        """Return the mean over rows in each resample."""
        total = self.sums(values)
        rows = self.sums(np.ones(len(values)))
        return np.asarray(total / (rows if total.ndim == 1 else rows[:, None]))

    def recalls(self, right: NDArray[np.bool_], labels: Ints, k: int) -> Doubles:
        """Return each class's share of rows named `right`, (n,), by class: (1 + resamples, k); NaN if none drawn."""
        of_class = np.eye(k)[labels]  # (n, k)
        total, hits = self.sums(of_class), self.sums(of_class * right[:, None])
        return np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0)

    def mean_recall(self, right: NDArray[np.bool_], labels: Ints, k: int) -> Doubles:
        """Return the balanced accuracy, of rows named `right`, (n,); a class that was not drawn does not count."""
        return _mean_of_known(self.recalls(right, labels, k))

    def groups(self, labels: Ints, k: int) -> list[int]:
        """Return how many groups have a row of each class."""
        return [len(np.unique(self.member[labels == c])) for c in range(k)]

    def independent(self, labels: Ints, k: int) -> int:
        """Return how many independent rows a balanced accuracy rests on: the harmonic mean of the classes' groups.

        Its variance is p (1 − p) over this number, as that of a share of so many rows.
        """
        return max(1, round(effective_rows(max(1, count) for count in self.groups(labels, k))))

    def auroc(self, scores: Doubles, labels: Ints, k: int) -> Doubles:
        """Return the area under the ROC curve by scores, (n, k), of one class against the others, mean over classes."""
        classes = [1] if k == 2 else range(k)  # of two classes, the second tells what the first does
        areas = [self._area(scores[:, c] - (scores[:, 0] if k == 2 else 0), labels == c) for c in classes]
        return _mean_of_known(np.stack(areas, axis=1))

    def found_at(self, score: Doubles, wanted: NDArray[np.bool_], rates: Sequence[float]) -> Doubles:
        """Return the share of the wanted rows above the threshold that so large a share of the others passes at most.

        By rate, (1 + resamples, rates); a threshold is one of each resample, and rows of one score are named together.
        """
        ups, downs = np.sort(score[wanted])[::-1], np.sort(score[~wanted])[::-1]
        up_rows, down_rows = (
            np.flatnonzero(rows)[np.argsort(-score[rows], kind="stable")] for rows in (wanted, ~wanted)
        )
        above = len(ups) - np.searchsorted(ups[::-1], downs, side="right")  # wanted rows over each other one
        shares = []
        for block in self._blocks(len(score)):
            passed = np.cumsum(block[:, self.member[down_rows]], axis=1, dtype=np.int64)
            named = np.zeros((len(block), len(ups) + 1))
            np.cumsum(block[:, self.member[up_rows]], axis=1, out=named[:, 1:])
            every = np.arange(len(block))
            each = []
            for rate in rates:
                first = np.minimum((passed > rate * passed[:, -1:] + 1e-9).argmax(axis=1), len(downs) - 1)
                total = named[:, -1]
                hits = np.where(passed[:, -1] > 0, named[every, above[first]], np.nan)
                each.append(np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0))
            shares.append(np.stack(each, axis=1))
        return np.concatenate(shares)

    def _blocks(self, rows: int) -> Iterator[NDArray[np.unsignedinteger]]:
        """Yield the draws in blocks of some resamples, few enough for numbers of so many rows of each."""
        for block in np.array_split(self.weights, _steps(len(self.weights), rows)):
            yield block
            let_go(self.weights)

    def _area(self, score: Doubles, positive: NDArray[np.bool_]) -> Doubles:
        """Return the share of pairs that are in the right order, in each resample; a tie counts half."""
        ups, downs = score[positive], score[~positive]
        order = np.sort(downs)
        above = np.searchsorted(order, ups, side="left")  # how many rows below each positive one, in `order`
        level = np.searchsorted(order, ups, side="right")
        sorted_rows = np.flatnonzero(~positive)[np.argsort(downs, kind="stable")]
        areas = []
        for block in self._blocks(len(score)):
            lower = np.zeros((len(block), len(downs) + 1))
            np.cumsum(block[:, self.member[sorted_rows]], axis=1, out=lower[:, 1:])
            drawn = block[:, self.member[positive]]
            pairs = drawn.sum(axis=1) * lower[:, -1]
            won = (drawn * (lower[:, above] + lower[:, level])).sum(axis=1) / 2
            areas.append(np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0))
        return np.concatenate(areas)


def effective_rows(counts: Iterable[int]) -> float:
    """Return how many rows of equal classes a balanced accuracy rests on: k times the harmonic mean of the counts."""
    each = [int(count) for count in counts]
    return len(each) ** 2 / sum(1 / count for count in each)


def _steps(resamples: int, rows: int) -> int:
    """Return in how many steps to go over so many resamples."""
    return max(1, min(resamples, resamples * rows // BLOCK))


def _mean_of_known(figures: Doubles) -> Doubles:
    """Return the mean over classes, (resamples,), of those that are there; NaN where none is."""
    known = np.isfinite(figures)
    count = known.sum(axis=1)
    total = np.where(known, figures, 0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0))


def estimate(figures: Doubles) -> Estimate:
    """Return the figure of the real rows, the first, with the percentile interval of the resamples behind it."""
    tail = (1 - CONFIDENCE) / 2
    drawn = figures[1:][np.isfinite(figures[1:])]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) else (figures[0], figures[0])
    return Estimate(value=float(figures[0]), low=float(low), high=float(high))


def estimate_share(figures: Doubles, n: int) -> Estimate:
    """Return a share with an interval no narrower than Wilson's for a share of n independent rows.

    Where every row is right, or all are wrong, all resamples are alike and their interval would have no width.
    """
    found = estimate(figures)
    wilson = binomtest(round(min(max(found.value, 0), 1) * n), n).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(value=found.value, low=min(found.low, wilson.low), high=max(found.high, wilson.high))


def widened(excess: Estimate, share: Estimate, resampled: Estimate) -> Estimate:
    """Return the excess of a share, its interval widened as far as the share's own was.

    With few groups the resamples alone make both intervals too narrow; the share's is Wilson's then, and the two agree.

    Args:
        excess: Of the share over its floor, as the resamples have it.
        share: With the interval that is reported.
        resampled: The same share as the resamples alone have it.
    """
    low, high = max(0.0, resampled.low - share.low), max(0.0, share.high - resampled.high)
    return Estimate(value=excess.value, low=excess.low - low, high=excess.high + high)


def draws(figures: Doubles) -> list[float | None]:
    """Return a figure on each resample, to four digits, by which two audits of the same rows are paired."""
    return [round(float(one), 4) if np.isfinite(one) else None for one in figures[1:]]


def resample(groups: Ints, *, times: int, seed: int, key: bytes) -> Resamples:
    """Draw the groups of the test rows, (n,), with replacement.

    Args:
        groups: Of the test rows, (n,).
        times: Resamples.
        seed: Which is published.
        key: Which is not. Who could draw the resamples again would solve for the labels from the figures on each;
            who has the rows has their key (LabelledData.resampling_key), so two audits of them are paired.
    """
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    entropy = hashlib.sha256(key).digest()
    generator = np.random.default_rng([seed, int.from_bytes(entropy)])

    def drawn() -> Iterator[NDArray[np.unsignedinteger]]:
        yield np.ones((1, count), dtype=np.uint8)
        for block in np.array_split(np.arange(times), _steps(times, 2 * count)):
            chosen = generator.integers(count, size=(len(block), count))
            chosen += count * np.arange(len(block))[:, None]  # in place, each resample its own numbers
            draw = np.bincount(chosen.ravel(), minlength=chosen.size).reshape(chosen.shape)
            yield draw.astype(np.min_scalar_type(draw.max()))  # mostly 0 to 8: an eighth of the memory

    many = (1 + times) * count > HELD  # of so many groups none is drawn more than 255 times
    weights = filed(drawn(), 1 + times, "uint8") if many else np.concatenate([*drawn()])
    return Resamples(member.astype(np.int64), weights)

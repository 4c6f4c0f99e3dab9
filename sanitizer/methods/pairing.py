"""Code pairs: words that every class of a private attribute says equally often, by optimal transport between codes.

The rows are quantised to codes. A code that one class of v has more often than the others is paired with codes that
the others have more often, along an optimal-transport plan between the two differences of shares: both codes of a pair
say the same word, each as often as the plan moves. Then every word is as likely under each value of v, without v being
known where a row is released. Merging words keeps what holds of them, so further classes and attributes are paired one
after the other.
"""

from collections.abc import Sequence

import numpy as np
import ot

from audit.bootstrap import Doubles
from audit.data.columns import Ints

NEGLIGIBLE = 1e-12
"""A share of rows below this is rounding."""


def paired(codes: Ints, labels: Sequence[Ints], centres: Doubles) -> Doubles:
    """Return how often each code says each word, (codes, words); rows add up to 1.

    Args:
        codes: Of each row, (n,), in 0 … K − 1.
        labels: Of each private attribute, (n,) each, in 0 … k − 1.
        centres: What stands for each code where it is told how alike two of them are, (K, m).
    """
    count = len(centres)
    says = np.eye(count)
    weight = np.bincount(codes, minlength=count) / len(codes)
    for v in labels:
        k = int(v.max()) + 1
        for one in range(k - 1):  # where these are as likely as the rest, the last one is
            lean = _shares(codes[v == one], count) - _shares(codes[v != one], count)
            of_words = weight @ says
            words = (says * weight[:, None]).T @ centres / np.maximum(of_words, NEGLIGIBLE)[:, None]
            says = _compact(says @ _merged(lean @ says, of_words, words))
    return says


def _shares(codes: Ints, count: int) -> Doubles:
    return np.bincount(codes, minlength=count) / max(len(codes), 1)


def _merged(lean: Doubles, weight: Doubles, words: Doubles) -> Doubles:
    """Return how often each word says each new one, (words, new words): what leans one way is paired with the rest.

    A plan costs what it loses of the words' variance: a unit of it merges 1 / s of the rows of a word whose share leans
    by s of itself with 1 / t of the other's, so that two words at a distance r lose r² / (s + t).

    Args:
        lean: Share of a class that has each word, less the share of the others, (words,).
        weight: Share of the rows that has each word, (words,).
        words: Vectors of the words, (words, m).
    """
    here, there = np.flatnonzero(lean > NEGLIGIBLE), np.flatnonzero(lean < -NEGLIGIBLE)
    even = np.flatnonzero(np.abs(lean) <= NEGLIGIBLE)
    alone = np.zeros((len(lean), len(even)))
    alone[even, np.arange(len(even))] = 1.0
    if not len(here) or not len(there):
        return np.eye(len(lean))
    give, take = lean[here], -lean[there]
    total = max(give.sum(), take.sum())
    steep = np.abs(lean) / np.maximum(weight, NEGLIGIBLE)
    cost = ot.dist(words[here], words[there]) / (steep[here, None] + steep[there])
    plan = np.asarray(ot.emd(give / give.sum(), take / take.sum(), cost), dtype=np.float64) * total
    i, j = np.nonzero(plan > NEGLIGIBLE)
    pairs = np.zeros((len(lean), len(i)))
    pairs[here[i], np.arange(len(i))] = plan[i, j]
    pairs[there[j], np.arange(len(i))] = plan[i, j]
    both = np.concatenate([pairs, alone], axis=1)
    return np.asarray(both / both.sum(axis=1, keepdims=True))


def _compact(says: Doubles) -> Doubles:
    """Leave out words that nobody says."""
    return says[:, says.sum(axis=0) > NEGLIGIBLE]

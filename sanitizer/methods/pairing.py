"""Words for codes: each class of a private attribute says every word about equally often, by a linear programme.

The rows are quantised to codes, and a code says one of several words, each as often as the programme has it. Of all the
shares under which no class says words otherwise than all rows do, further than is allowed, it takes those that lose
least of the codes' variance: so codes that one class of v has more often say the same words as codes near them that the
others have more often. Nobody has to know v where a row is released. Words and shares are found in turn, as in k-means.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances_argmin
from sklearn.metrics.pairwise import euclidean_distances

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.errors import TrainingError
from sanitizer.methods.codebook import FEWEST, once_each

ROWS_PER_CODE = 12
"""Training rows for each code, about: the shares of classes in it are estimated from them."""
LARGEST = 150_000
"""Codes × words of a predicted class where there are two private classes, about; of more, as much less: the time to
match them grows faster than that."""
MANY = 20_000
"""Rows that k-means goes over, at most."""
ROUNDS = 2
"""How often shares are found for words, and words for shares."""
LEAST_SPREAD = 0.05
"""Deviation of what chance does, as a share of its mean, at least: of a few rows it does nearly always the same."""
NEGLIGIBLE = 1e-9
"""A share below this is rounding."""
EXACT = 1e-10
"""How far the programme may miss its constraints."""
SECONDS = 900
"""How long a programme may take: thousands of words of many private classes would take hours."""
DRAWS = 50
"""How often rows are drawn by chance, for how far a class is from all where words tell nothing."""


def most_codes(words: int, classes: int) -> int:
    """Return how many codes are matched to so many words, at most; of two classes at least twice as many."""
    return max(2 * words if classes <= 2 else words, 2 * LARGEST // (max(2, classes) * words))


def codes_of(c: Doubles, count: int, whose: Ints) -> tuple[Doubles, Ints]:
    """Return the centres of at most `count` codes of rows (n, m), and the code of each row, (n,).

    No code has rows of few people, (n,) as of Rows.whose, or few that differ; in its mean each person counts for the
    share of their rows that it has. Of many rows, some are enough to find where codes are; all tell their means.
    """
    some = c if len(c) <= MANY else c[np.random.default_rng(0).permutation(len(c))[:MANY]]
    count = min(count, max(1, len(some) // ROWS_PER_CODE))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct rows than codes
        centres = np.asarray(KMeans(count, n_init=1, random_state=0).fit(some).cluster_centers_, dtype=np.float64)
    are_means, weight, differing = False, once_each(whose), np.unique(c, axis=0, return_index=True)[1]
    while True:
        codes = nearest(c, centres)
        differ = np.bincount(codes[differing], minlength=len(centres))
        rows = np.minimum(people(codes, whose, weight, len(centres)), differ)
        if rows.min() < FEWEST - EXACT and len(centres) > 1:
            rarest = np.argsort(rows, kind="stable")[: max(1, int((rows < FEWEST - EXACT).sum()) // 2)]
            centres, are_means = np.delete(centres, rarest, axis=0), False  # their rows go to the nearest others
        elif are_means:
            return centres, codes
        else:
            of_code, total = in_codes(c, codes, weight)
            centres, are_means = total / of_code[:, None], True


def nearest(c: Doubles, centres: Doubles) -> Ints:
    """Return which centre (K, m) is nearest to each row (n, m), (n,)."""
    return np.asarray(pairwise_distances_argmin(c, centres), dtype=np.int64)


def in_codes(x: Doubles, codes: Ints, weight: Doubles) -> tuple[Doubles, Doubles]:
    """Return how much the rows (n, d) of each code weigh, (K,), and their weighted sum, (K, d)."""
    member = sparse.csr_array((weight, (codes, np.arange(len(codes)))))
    return np.asarray(member.sum(axis=1), dtype=np.float64), np.asarray(member @ x, dtype=np.float64)


def people(codes: Ints, whose: Ints, weight: Doubles, count: int) -> Doubles:
    """Return of how many people the rows of each code are, (count,), of each row's code, person and weight, (n,).

    Where one has more of a code than others, it is of how many equal shares its mean would vary as much (Kish, Survey
    Sampling).
    """
    person = np.unique(whose, return_inverse=True)[1]
    shares = sparse.csr_array((weight, (codes, person)), shape=(count, int(person.max()) + 1))  # the same are summed
    return np.asarray(shares.sum(axis=1) ** 2 / np.maximum((shares * shares).sum(axis=1), NEGLIGIBLE))


def paired(
    codes: Ints, labels: Sequence[Ints], centres: Doubles, words: int, slack: Sequence[float], row: Ints | None = None
) -> Doubles:
    """Return how often each code says each word, (codes, words); rows add up to 1.

    Args:
        codes: Of each row, (n,), in 0 … K − 1.
        labels: Of each private attribute, (n,) each, in 0 … k − 1.
        centres: What stands for each code where it is told how alike two of them are, (K, m).
        words: How many there are, at most.
        slack: How far the words of a class may be from those of all rows, in total variation, as a share of how far
            they would be by chance among as many rows, for each attribute; with 0 each word is exactly as likely in
            each class.
        row: Which row each one is, (n,), where some are there several times: chance is that of rows once.

    Raises:
        TrainingError: The programme was not solved.
    """
    count = len(centres)
    weight = np.bincount(codes, minlength=count) / len(codes)
    leans = np.concatenate([_leans(codes, v, weight) for v in labels])
    places = _places(centres, weight, min(words, count))
    cells: Doubles = np.bincount(pairwise_distances_argmin(centres, places), weight, len(places)).astype(float)
    chance = [by_chance(v, cells, row).mean(axis=1) for v in labels]
    allowed = np.concatenate([share * one for share, one in zip(slack, chance, strict=True)])
    says = np.ones((count, 1))
    for _ in range(ROUNDS):
        says = _compact(
            _programme(weight[:, None] * euclidean_distances(centres, places, squared=True), leans, allowed)
        )
        of_words = weight[:, None] * says
        places = of_words.T @ centres / of_words.sum(axis=0)[:, None]
    return says


def _leans(codes: Ints, v: Ints, weight: Doubles) -> Doubles:
    """Return the share of each code in each class that is there, less its share of all rows, (k, codes)."""
    of_class = [np.bincount(codes[v == one], minlength=len(weight)) / (v == one).sum() for one in np.unique(v)]
    return np.stack(of_class) - weight


def _places(centres: Doubles, weight: Doubles, words: int) -> Doubles:
    """Return where words begin: the centres themselves, or those of fewer clusters of them."""
    if words == len(centres):
        return centres
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer distinct codes than words
        found = KMeans(words, n_init=1, random_state=0).fit(centres, sample_weight=weight)
    return np.asarray(found.cluster_centers_, dtype=np.float64)


def furthest(v: Ints, cells: Doubles, row: Ints, slack: float) -> Doubles:
    """Return how far the words of each class, (k,), may be from those of all rows; the rest as for `by_chance`.

    As far as is allowed, and as chance takes any class in any drawing: in deviations, for a rare one goes further.
    """
    chance = by_chance(v, cells, row)
    middle = chance.mean(axis=1)
    spread = np.maximum(chance.std(axis=1), LEAST_SPREAD * middle) + NEGLIGIBLE
    most = ((chance - middle[:, None]) / spread[:, None]).max()
    return np.asarray((1 + slack) * middle + most * spread)


def apart(words: Ints, v: Ints) -> Doubles:
    """Return how far the words that the rows of each class say are from those of all rows, in total variation, (k,)."""
    of_all = np.bincount(words) / len(words)
    own = np.stack([np.bincount(words[v == one], minlength=len(of_all)) / (v == one).sum() for one in np.unique(v)])
    return np.asarray(np.maximum(own - of_all, 0).sum(axis=1))


def by_chance(v: Ints, cells: Doubles, row: Ints | None = None) -> Doubles:
    """Draw how far the words of each class are from those of all rows where words tell nothing, (k, DRAWS).

    Args:
        v: Class of each row, (n,).
        cells: How frequent each word is, (words,), in any unit.
        row: Which row each one is, (n,), where some are there several times; these count as often as independent rows
            would of whose mean the variance is the same (Kish, Survey Sampling).
    """
    generator, cells = np.random.default_rng(0), cells / cells.sum()
    row = np.arange(len(v)) if row is None else row
    times = [np.unique(row[v == one], return_counts=True)[1] for one in np.unique(v)]
    rows = np.array([many.sum() for many in times])
    worth = [round(many.sum() ** 2 / np.square(many).sum()) for many in times]
    drawn = np.stack([generator.multinomial(n, cells, size=DRAWS) for n in worth])  # (k, draws, words)
    shares = drawn / np.reshape(worth, (-1, 1, 1))
    of_all = (shares * (rows / rows.sum())[:, None, None]).sum(axis=0)
    return np.asarray(np.maximum(shares - of_all, 0).sum(axis=2), dtype=np.float64)


def _programme(cost: Doubles, leans: Doubles, allowed: Doubles) -> Doubles:
    """Return the shares, (codes, words), that cost least while no class is further from all rows than is allowed.

    Args:
        cost: Of each code saying each word alone, (codes, words).
        leans: Of each class, by how much its share of each code exceeds that of all rows, (classes, codes).
        allowed: Of each class, by how much its shares of words may exceed those of all rows, in all, (classes,).
    """
    codes, words = cost.shape
    classes = len(leans)
    # beside the shares, how far each class exceeds all rows in each word: (classes × words)
    exceeds = sparse.hstack([sparse.kron(sparse.csr_array(leans), sparse.eye(words)), -sparse.eye(classes * words)])
    nothing = sparse.csr_array((classes, codes * words))
    in_all = sparse.hstack([nothing, sparse.kron(sparse.eye(classes), np.ones((1, words)))])
    at_most: Any = sparse.csr_array(sparse.vstack([exceeds, in_all]))
    nothing = sparse.csr_array((codes, classes * words))
    whole: Any = sparse.csr_array(sparse.hstack([sparse.kron(sparse.eye(codes), np.ones((1, words))), nothing]))
    found = linprog(
        np.concatenate([cost.ravel(), np.zeros(classes * words)]),
        A_ub=at_most,
        b_ub=np.concatenate([np.zeros(classes * words), allowed]),
        A_eq=whole,
        b_eq=np.ones(codes),
        options={"primal_feasibility_tolerance": EXACT, "time_limit": SECONDS},
    )
    if found.status or found.x is None:
        told = found.message.splitlines()[0]
        raise TrainingError(f"Words could not be matched ({told}). Try fewer --words, or --method codebook.")
    return np.asarray(found.x[: codes * words]).reshape(codes, words)


def _compact(says: Doubles) -> Doubles:
    """Leave out what is rounding, and words that nobody says."""
    says = np.where(says > NEGLIGIBLE, says, 0)
    says = says[:, says.any(axis=0)]
    return np.asarray(says / says.sum(axis=1, keepdims=True))


def shares_in_lists(says: Sequence[Doubles]) -> tuple[Doubles, Ints]:
    """Return each code's words and their cumulative shares, (K, P) each, of tables that have their own words each."""
    longest = max(int((one > 0).sum(axis=1).max()) for one in says)
    upto, which, before = [], [], 0
    for table in says:
        for shares in table:
            there = np.flatnonzero(shares)
            more = longest - len(there)
            upto.append(np.pad(np.cumsum(shares[there])[:-1], (0, more + 1), constant_values=1.0))
            which.append(np.pad(there + before, (0, more), mode="edge"))
        before += table.shape[1]
    return np.stack(upto), np.stack(which)

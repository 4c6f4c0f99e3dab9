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

ROUNDS = 2
"""How often shares are found for words, and words for shares."""
NEGLIGIBLE = 1e-9
"""A share below this is rounding."""
EXACT = 1e-10
"""How far the programme may miss its constraints."""
SECONDS = 900
"""How long a programme may take: thousands of words of many private classes would take hours."""
DRAWS = 50
"""How often rows are drawn by chance, for how far a class is from all where words tell nothing."""


def paired(codes: Ints, labels: Sequence[Ints], centres: Doubles, words: int, slack: float) -> Doubles:
    """Return how often each code says each word, (codes, words); rows add up to 1.

    Args:
        codes: Of each row, (n,), in 0 … K − 1.
        labels: Of each private attribute, (n,) each, in 0 … k − 1.
        centres: What stands for each code where it is told how alike two of them are, (K, m).
        words: How many there are, at most.
        slack: How far the words of a class may be from those of all rows, in total variation, as a share of how far
            they would be by chance among as many rows; with 0 each word is exactly as likely in each class.

    Raises:
        TrainingError: The programme was not solved.
    """
    count = len(centres)
    weight = np.bincount(codes, minlength=count) / len(codes)
    leans = np.concatenate([_leans(codes, v, weight) for v in labels])
    places = _places(centres, weight, min(words, count))
    cells: Doubles = np.bincount(pairwise_distances_argmin(centres, places), weight, len(places)).astype(float)
    allowed = slack * np.concatenate([_by_chance(np.unique(v, return_counts=True)[1], cells) for v in labels])
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


def _by_chance(rows: Ints, cells: Doubles) -> Doubles:
    """Return how far each class of so many rows is from all of them, (k,), where all say words alike: (words,)."""
    generator, cells = np.random.default_rng(0), cells / cells.sum()
    drawn = np.stack([generator.multinomial(n, cells, size=DRAWS) for n in rows])  # (k, draws, words)
    of_all = drawn.sum(axis=0) / rows.sum()
    apart = drawn / rows[:, None, None] - of_all
    return np.asarray(np.maximum(apart, 0).sum(axis=2).mean(axis=1), dtype=np.float64)


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

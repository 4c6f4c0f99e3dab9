"""Words for codes: each class of a private attribute says every word about equally often, by a linear programme.

The rows are quantised to codes, and a code says one of several words, each as often as the programme has it. Of all the
shares under which a table from words to classes would read no more than is allowed, it takes those that lose least of
the codes' variance: so codes that one class of v has more often say the same words as codes near them that the others
have more often. Nobody has to know v where a row is released. Words and shares are found in turn, as in k-means.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog
from sklearn.cluster import KMeans
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
DRAWS = 50
"""How often classes are drawn by chance, for what a table reads of words that tell nothing."""


def paired(codes: Ints, labels: Sequence[Ints], centres: Doubles, words: int, slack: float) -> Doubles:
    """Return how often each code says each word, (codes, words); rows add up to 1.

    Args:
        codes: Of each row, (n,), in 0 … K − 1.
        labels: Of each private attribute, (n,) each, in 0 … k − 1.
        centres: What stands for each code where it is told how alike two of them are, (K, m).
        words: How many there are, at most.
        slack: What a table may read of the rows, as a share of what it would read by chance of words that tell
            nothing; with 0 each word is exactly as likely in each class.

    Raises:
        TrainingError: The programme was not solved.
    """
    count = len(centres)
    weight = np.bincount(codes, minlength=count) / len(codes)
    of_class = [_shares(codes, v, count) for v in labels]
    places = _places(centres, weight, min(words, count))
    cells: Doubles = np.bincount(euclidean_distances(centres, places).argmin(axis=1), weight, len(places)).astype(float)
    allowed = [1 + slack * (_by_chance(np.unique(v, return_counts=True)[1], cells) - 1) for v in labels]
    says = np.ones((count, 1))
    for _ in range(ROUNDS):
        says = _compact(
            _programme(weight[:, None] * euclidean_distances(centres, places, squared=True), of_class, allowed)
        )
        of_words = weight[:, None] * says
        places = of_words.T @ centres / of_words.sum(axis=0)[:, None]
    return says


def _shares(codes: Ints, v: Ints, count: int) -> Doubles:
    """Return the share of each code in each class that is there, (k, codes)."""
    return np.stack([np.bincount(codes[v == one], minlength=count) / (v == one).sum() for one in np.unique(v)])


def _places(centres: Doubles, weight: Doubles, words: int) -> Doubles:
    """Return where words begin: the centres themselves, or those of fewer clusters of them."""
    if words == len(centres):
        return centres
    found = KMeans(words, n_init=1, random_state=0).fit(centres, sample_weight=weight)
    return np.asarray(found.cluster_centers_, dtype=np.float64)


def _by_chance(rows: Ints, cells: Doubles) -> float:
    """Return the sum over words of the largest share of a class, if classes of so many rows say them alike.

    It is 1 where the shares are equal; a table's balanced accuracy on the rows is this sum over the number of classes.
    """
    generator, cells = np.random.default_rng(0), cells / cells.sum()
    drawn = [generator.multinomial(n, cells, size=DRAWS) / n for n in rows]
    return float(np.max(drawn, axis=0).sum(axis=1).mean())


def _programme(cost: Doubles, of_class: Sequence[Doubles], allowed: Sequence[float]) -> Doubles:
    """Return the shares, (codes, words), that cost least while no attribute's sum of largest shares is above what is.

    Args:
        cost: Of each code saying each word alone, (codes, words).
        of_class: The share of each code in each class, (k, codes) of each attribute.
        allowed: Of each attribute, the sum over words of the largest share of a class, at most.
    """
    codes, words = cost.shape
    several = len(of_class)
    largest = [sparse.kron(np.eye(several)[[place]], sparse.eye(words)) for place in range(several)]
    limits = [
        sparse.hstack(
            [sparse.kron(sparse.csr_matrix(one), sparse.eye(words)), -sparse.kron(np.ones((len(one), 1)), of)]
        )
        for one, of in zip(of_class, largest, strict=True)
    ]
    sums = sparse.hstack(
        [sparse.csr_matrix((several, codes * words)), sparse.kron(sparse.eye(several), np.ones((1, words)))]
    )
    whole = sparse.hstack(
        [sparse.kron(sparse.eye(codes), np.ones((1, words))), sparse.csr_matrix((codes, several * words))]
    )
    at_most: Any = sparse.vstack([*limits, sums], format="csr")
    exactly: Any = sparse.csr_array(whole)
    found = linprog(
        np.concatenate([cost.ravel(), np.zeros(several * words)]),
        A_ub=at_most,
        b_ub=np.concatenate([np.zeros(at_most.shape[0] - several), allowed]),
        A_eq=exactly,
        b_eq=np.ones(codes),
        options={"primal_feasibility_tolerance": EXACT},
    )
    if found.x is None:
        raise TrainingError(f"Words could not be matched: {found.message.splitlines()[0]} Try fewer --words.")
    return np.asarray(found.x[: codes * words]).reshape(codes, words)


def _compact(says: Doubles) -> Doubles:
    """Leave out what is rounding, and words that nobody says."""
    says = np.where(says > NEGLIGIBLE, says, 0)
    says = says[:, says.any(axis=0)]
    return np.asarray(says / says.sum(axis=1, keepdims=True))

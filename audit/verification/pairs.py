"""Pairs of test rows: genuine ones are of one person, impostor ones of two, and some are drawn where there are many."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.data.columns import Ints

BLOCK = 2**22
"""Numbers of the rows of a block of pairs that are compared at once."""


@dataclass(frozen=True)
class Pairs:
    """Some pairs of rows, and how many there are."""

    one: Ints
    """Positions of the first row of each pair, (m,)."""
    other: Ints
    """Those of the second, (m,)."""
    held: int
    """Pairs that there are; m of them were drawn where this is more."""


def genuine_pairs(person: Ints, most: int, seed: int, key: bytes) -> Pairs:
    """Return pairs of two rows of one person, (n,), each pair once, at most so many, drawn evenly by seed and key."""
    order = np.argsort(person, kind="stable")
    ends = np.searchsorted(person[order], person[order], side="right")
    return _drawn(order, np.arange(1, len(order) + 1), ends, most, _generator(seed, key, "genuine"))


def impostor_pairs(person: Ints, stratum: Ints, most: int, seed: int, key: bytes) -> Pairs:
    """Return pairs of rows of two people, (n,), that are of one stratum, (n,), as `genuine_pairs` does."""
    order = np.lexsort((person, stratum))
    of_both = np.unique(np.stack([stratum[order], person[order]]), axis=1, return_inverse=True)[1].reshape(-1)
    starts = np.searchsorted(of_both, of_both, side="right")
    ends = np.searchsorted(stratum[order], stratum[order], side="right")
    return _drawn(order, starts, ends, most, _generator(seed, key, "impostor"))


def _drawn(order: Ints, starts: Ints, ends: Ints, most: int, generator: np.random.Generator) -> Pairs:
    """Pair each row in order with those from its start to its end; of more pairs than `most`, draw as many."""
    behind = np.cumsum(np.maximum(ends - starts, 0))
    held = int(behind[-1]) if len(behind) else 0
    drawn = np.arange(held) if held <= most else np.sort(generator.choice(held, most, replace=False, shuffle=False))
    first = np.searchsorted(behind, drawn, side="right")
    before = np.concatenate([[0], behind])[first]
    return Pairs(order[first], order[starts[first] + drawn - before], held)


def _generator(seed: int, key: bytes, kind: str) -> np.random.Generator:
    """Return what pairs are drawn by: like resamples, by who has the rows alone."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(kind.encode() + b"\0" + key).digest())])


def similarities(z: NDArray[np.floating], pairs: Pairs) -> NDArray[np.float64]:
    """Return the cosine similarity of the rows of each pair, (m,), to six digits; 0 where a row has no length.

    The rows, (n, d), may be a mapped file: a block of pairs is in memory at once.
    """
    found = np.zeros(len(pairs.one))
    for block in np.array_split(np.arange(len(found)), max(1, len(found) * z.shape[1] // BLOCK)):
        one, other = (z[rows[block]].astype(np.float64) for rows in (pairs.one, pairs.other))
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        np.divide(np.einsum("nd,nd->n", one, other), lengths, out=one[:, 0], where=lengths > 0)
        found[block] = np.where(lengths > 0, one[:, 0], 0.0)
    return found.round(6)  # rows that are equal are equally alike, whatever the order of sums

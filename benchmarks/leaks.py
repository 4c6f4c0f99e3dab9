"""Synthetic features of any width with a leak of known size: the best attacker there can be reads chance and that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from audit.data.columns import Ints

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
STEEPEST = 60.0
FAR = 5.0
"""Deviations at which the few rows stand that are read with certainty."""


@dataclass(frozen=True)
class Leak:
    """White normal features, (n, d), and a label, (n,), that leans on them."""

    z: Floats
    v: Ints
    best: float
    """Balanced accuracy of the best possible attacker on rows like these."""


def linear(z: Floats, generator: np.random.Generator) -> Doubles:
    """A score along one direction, dense over all features."""
    return _unit(z @ generator.standard_normal(z.shape[1], dtype=np.float32))


def quadratic(z: Floats, generator: np.random.Generator) -> Doubles:
    """A score by a form over all pairs of features."""
    form = generator.standard_normal((z.shape[1], z.shape[1]), dtype=np.float32)
    return _unit(((z @ form) * z).sum(axis=1))


def of_three(z: Floats, generator: np.random.Generator) -> Doubles:
    """A score by the product of three features: no one and no two of them tell anything."""
    return _unit(np.prod(z[:, generator.permutation(z.shape[1])[:3]], axis=1))


SCORES: Mapping[str, Callable[[Floats, np.random.Generator], Doubles]] = {
    "linear": linear,
    "quadratic": quadratic,
    "product of three": of_three,
}
FEW, NOTHING = "a few rows for certain", "nothing"
LEAKS = (*SCORES, FEW)


def leak(kind: str, n: int, d: int, excess: float, generator: np.random.Generator) -> Leak:
    """Draw rows of two even classes; the best possible attacker reads .5 + `excess`."""
    z = generator.standard_normal((n, d), dtype=np.float32)
    if kind == NOTHING:
        return Leak(z, generator.integers(2, size=n), 0.5)
    if kind == FEW:
        v = generator.integers(2, size=n)
        known = generator.random(n) < 2 * excess
        z[known, int(generator.integers(d))] = (FAR * (2 * v - 1))[known]
        return Leak(z, v, 0.5 + excess)
    score = SCORES[kind](z, generator)
    strength = brentq(lambda a: float(np.abs(expit(a * score) - 0.5).mean()) - excess, 0.0, STEEPEST)
    return Leak(z, (generator.random(n) < expit(strength * score)).astype(np.int64), 0.5 + excess)


def _unit(score: NDArray[np.floating]) -> Doubles:
    return np.asarray((score - score.mean()) / score.std(), dtype=np.float64)

"""What others do to features that are already there: LEACE, INLP and a k-means code here, two in files of their own.

An eraser is fitted on rows that no attacker gets, and gives a function of the features alone, so that new rows need
no label. INLP, Obliviator and MANCE++ are re-made here from their papers and public repositories; no line of those
is copied, and every figure for them is a figure of this re-making. What was left open or changed stands in the
docstring of each. Settings are the authors' where they fit in a minute on one core, and otherwise the best that
were found on development features.
"""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from torch import Tensor, nn
from torch.nn.functional import one_hot

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Eraser = Callable[[Floats], Floats]
"""From features, (m, d), to what is released of them, (m, d')."""


@dataclass(frozen=True)
class Seen:
    """The rows that an eraser may learn from."""

    z: Floats
    """Features of the bottleneck, (n, d)."""
    v: Ints
    """Private attribute, (n,), each class from 0 to k - 1 at least once."""
    y: Ints
    """Task label, (n,), from 0; only Obliviator looks at it."""


def leace(fit: Seen) -> Eraser:
    """Remove what any linear attacker could read, by the least change that does (package concept-erasure).

    Source: Belrose et al., NeurIPS 2023. Not re-made: this is the authors' code, in float64.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its import compiles a function in a way torch gives up
        from concept_erasure import LeaceEraser

    fitted = LeaceEraser.fit(doubles(fit.z), indicators(fit.v).double())

    def erase(z: Floats) -> Floats:
        return floats(fitted(doubles(z)))

    return erase


def kmeans_code(fit: Seen, *, words: int = 64, seed: int = 0) -> Eraser:
    """Replace features by the nearest of k-means' centres: a codebook that nothing was trained through.

    Nobody's method: it shows what a codebook does by compression alone.

    Args:
        fit: Rows to learn from.
        words: K, centres; at most n.
        seed: Of the first centres.
    """
    found = KMeans(words, n_init=1, random_state=seed).fit(fit.z)

    def erase(z: Floats) -> Floats:
        out: Floats = found.cluster_centers_[found.predict(np.ascontiguousarray(z))].astype(np.float32)
        return out

    return erase


def inlp(fit: Seen, *, rank: int | None = None, seed: int = 0) -> Eraser:
    """Fit logistic regressions one after the other and project what each reads out, until one is at chance.

    Re-made from Ravfogel et al., ACL 2020. Assumed: features are centred and divided by their one overall deviation,
    regressions have C = 0.1 (which removes v with fewer directions than 1, 10 and 100 do), and one is at chance when
    its balanced accuracy on a quarter of the rows, kept from it, is within two standard errors of 1 / k (within one,
    it goes on for many directions that take the task and no v).

    Args:
        fit: Rows to learn from.
        rank: Most directions to remove; half of d unless given, since with many classes all of them would go.
        seed: Of the quarter.
    """
    centre, deviation = fit.z.mean(axis=0, dtype=np.float64), float(fit.z.std(dtype=np.float64))
    scaled, k = (fit.z - centre) / deviation, int(fit.v.max()) + 1
    learn, check = parts(len(scaled), seed=seed)
    allowed = 1 / k + 2 * math.sqrt((k - 1) / len(check)) / k
    basis, most = np.empty((scaled.shape[1], 0)), scaled.shape[1] // 2 if rank is None else rank
    while basis.shape[1] < most:
        left = scaled - (scaled @ basis) @ basis.T
        reader = LogisticRegression(C=0.1, max_iter=200, class_weight="balanced").fit(left[learn], fit.v[learn])
        if balanced_accuracy_score(fit.v[check], reader.predict(left[check])) <= allowed:
            break
        _, values, rows = np.linalg.svd(reader.coef_, full_matrices=False)
        basis = np.linalg.qr(np.hstack([basis, rows[values > 1e-6 * values[0]].T]))[0][:, :most]

    def erase(z: Floats) -> Floats:
        out: Floats = (z - ((z - centre) @ basis) @ basis.T).astype(np.float32)
        return out

    return erase


def parts(n: int, *, seed: int) -> tuple[Ints, Ints]:
    """Return three quarters of n rows, drawn at random, and the rest."""
    order = np.random.default_rng(seed).permutation(n)
    return order[n // 4 :], order[: n // 4]


def indicators(codes: Ints) -> Tensor:
    """Return one column for each class, (n, k) float32."""
    return one_hot(torch.tensor(codes)).float()


def doubles(z: Floats) -> Tensor:
    """Return features as a tensor of float64."""
    return torch.from_numpy(z.astype(np.float64))


def floats(z: Tensor) -> Floats:
    """Return features as an array of float32."""
    return z.numpy().astype(np.float32)


def standardised(z: Tensor) -> nn.Module:
    """Return what takes z, (n, d), to mean 0 and deviation 1; a constant stays 0."""
    deviation = z.std(dim=0)
    scale = nn.Linear(z.shape[1], z.shape[1])
    inverse = torch.where(deviation > 1e-6 * deviation.max(), 1 / deviation, 0.0)
    scale.weight.copy_(torch.diag(inverse))
    scale.bias.copy_(-z.mean(dim=0) * inverse)
    return scale

"""Information about v in a prediction or in the features themselves, differentiable, for training to minimise.

Both run in float32 or better under autocast: half precision gives NaN.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

TINY = 1e-12
BANDWIDTHS = (0.03, 0.1, 0.3)
"""Of the RBF kernels, as multiples of the median squared distance on the batch."""
ROWS_PER_DIRECTION = 8
"""Whitening keeps at most one direction for so many rows of the batch."""


def mutual_information(p: Tensor, v: Tensor) -> Tensor:
    """Return I(v; prediction) on a batch as a share of log k: 0 is independent, 1 is known.

    The joint of one minibatch is `onehot(v)ᵀ p / n`, its marginals are its own sums. A fixed wrong
    permutation is 1 too: always wrong carries as much information as always right. Upward biased on few rows.

    Args:
        p: Predicted distribution of the private attribute, (n, k), rows summing to 1.
        v: Private labels, (n,) int64.
    Source: eq. 2 of the paper.
    """
    p = p.float()
    n, k = p.shape
    joint = functional.one_hot(v, k).to(p.dtype).T @ p / n  # (k, k)
    independent = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    terms = joint * (joint.clamp_min(TINY) / independent.clamp_min(TINY)).log()
    return terms.sum() / math.log(k)


def by_class(measure: Callable[[Tensor, Tensor], Tensor], z: Tensor, v: Tensor, y: Tensor | None) -> Tensor:
    """Return the mean of a measure of (z, v) within each class of y, weighted by the class's rows.

    With `mutual_information` it is I(v; prediction | y), as a share of log k. A class of one row carries none, and
    without y all rows are measured together. z are features or predictions, (n, d); labels are (n,) int64.
    """
    if y is None:
        return measure(z, v)
    classes = [y == c for c in torch.unique(y)]
    parts = [measure(z[own], v[own]) * (int(own.sum()) / len(y)) for own in classes if int(own.sum()) > 1]
    return torch.stack(parts).sum() if parts else z.sum() * 0


def explained_share(z: Tensor, v: Tensor, *, k: int, ridge: float) -> Tensor:
    """Return the share of v's variance that kernel ridge regression on z explains.

    The regression is solved exactly on every batch, so no adversary lags behind the encoder. The
    kernel is the mean of RBF kernels at three bandwidths and a linear one, centred; z is whitened by its
    own batch first, since attackers whiten too. In [0, 1]; above 0 for independent v, by overfitting.

    Features are (n, d), labels of k classes (n,) int64, and the ridge is a share of n.
    """
    n = len(z)
    white = whiten(z.double())  # float32 cannot factor the kernel of real features
    squared = torch.cdist(white, white).square()
    scale = squared.detach().median().clamp_min(TINY)
    kernel = torch.stack([torch.exp(-squared / (2 * width * scale)) for width in BANDWIDTHS]).mean(dim=0)
    kernel = kernel + white @ white.T / white.shape[1]
    kernel = kernel - kernel.mean(dim=0, keepdim=True) - kernel.mean(dim=1, keepdim=True) + kernel.mean()
    target = functional.one_hot(v, k).to(kernel.dtype)
    target = target - target.mean(dim=0)
    damped = kernel + ridge * n * torch.eye(n, dtype=kernel.dtype, device=kernel.device)
    residual = ridge * n * torch.linalg.solve(damped, target)
    total = target.square().sum()
    share: Tensor = (total - (target * residual).sum()) / total.clamp_min(TINY)
    return share.float()  # 0 for a batch of one class


def whiten(z: Tensor, *, shrinkage: float = 1e-4) -> Tensor:
    """Return features (n, d) in float64 with mean 0 and covariance near the identity by the batch, (n, min(d, n / 8)).

    A batch determines no more directions than that: whitened in all of them, any labels could be predicted. Where d
    is larger, the directions of largest variance are kept. Each gets a share of the mean variance, `shrinkage`, more.
    """
    centred = z - z.mean(dim=0)
    keep = max(1, len(z) // ROWS_PER_DIRECTION)
    if z.shape[1] > keep:
        with torch.no_grad():  # no gradient through the choice of directions: it is made anew for every batch
            directions = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -keep:]  # (d, keep)
        centred = centred @ directions
    covariance = centred.T @ centred / len(z)
    floor = shrinkage * covariance.diagonal().mean().clamp_min(TINY)
    identity = torch.eye(len(covariance), dtype=z.dtype, device=z.device)
    factor = torch.linalg.cholesky(covariance + floor * identity)
    white: Tensor = torch.linalg.solve_triangular(factor, centred.T, upper=False).T
    return white

"""Coordinates of features: whitened, in units of what is kept, or a projection to a low rank that is refined."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.errors import TrainingError
from audit.model.maps.affine_and_code import Affine, vectors
from sanitizer.information import TINY

ROWS_PER_DIRECTION = 16
"""Rows per whitened coordinate, at least: the directions of smaller variance are noise."""
STEPS, RATE = 30, 0.01
"""Of Adam, in the final refinement."""


@dataclass(frozen=True)
class Whitened:
    """Features in the coordinates of their largest principal directions, with mean 0 and covariance 1."""

    rows: Tensor
    """(n, m) float64."""
    mean: Tensor
    """Of the features, (d,)."""
    to: Tensor
    """z ↦ (z − mean) @ to, (d, m)."""
    back: Tensor
    """(m, d)."""
    scale: Tensor
    """Deviation of the standardised features along each direction, (m,), the largest first."""


def require_rank(rank: int | None, width: int) -> None:
    """Refuse a rank that is larger than the width of the features."""
    if rank is not None and rank > width:
        raise TrainingError(f"--rank {rank} is more than the {width} dimensions of the layer. Give at most {width}.")


def whitened(z: Tensor) -> Whitened:
    """Return features (n, d), standardised first, in whitened coordinates.

    Raises:
        TrainingError: All rows have the same features.
    """
    z = z.double()
    mean, spread = z.mean(dim=0), z.std(dim=0).clamp_min(1e-6)
    _, lengths, axes = torch.linalg.svd((z - mean) / spread, full_matrices=False)
    most = min(max(1, len(z) // ROWS_PER_DIRECTION), int((lengths > 1e-4 * lengths[0]).sum()))
    if not most:
        raise TrainingError(
            "All training rows have the same features at the bottleneck: there is nothing to read and nothing to map. "
            "Look at how they are read, or choose another --layer."
        )
    scale, axes = lengths[:most] / len(z) ** 0.5, axes[:most]
    to = (axes / spread).T / scale
    return Whitened((z - mean) @ to, mean, to, axes * scale[:, None] * spread, scale)


def kept_coordinates(z: Tensor, kept: Sequence[Ints], weight: float, most: int) -> tuple[Doubles, Doubles]:
    """Return the map of features (n, d) to coordinates in units of what is kept, z · axes + shift: (m, d) and (m,).

    Rows are near in them that are alike in the scores of the retained attributes, `kept`, (n,) each, and in the
    principal coordinates of z, the largest `most`. Their variance is 1 in all for z, and `weight` for the scores. The
    scores are of the rows whose class is known; elsewhere it is -1.
    """
    white = whitened(z)
    w = white.rows.cpu().numpy()  # (n, r), white
    to, mean = (part.cpu().numpy() for part in (white.to, white.mean))
    scale = white.scale.cpu().numpy()
    main = np.eye(w.shape[1])[:, :most] * (scale / np.sqrt((scale**2).sum()))[:most]  # (r, a)
    told = [_scores(w[v >= 0], v[v >= 0]) for v in kept if len(np.unique(v[v >= 0])) > 1]
    inside = np.concatenate([main, *(one * np.sqrt(weight / len(told)) for one in told)], axis=1)
    axes = (to @ inside).T
    return axes, -axes @ mean


def _scores(w: Doubles, v: Ints) -> Doubles:
    """Return the directions of white features along which logistic regression reads v, (r, k'), of variance 1."""
    coefficients = LogisticRegression(C=0.1, max_iter=1000).fit(w, v).coef_.T
    return np.asarray(coefficients / np.linalg.norm(coefficients))


class LowRank(nn.Module):
    """An affine projection to a low rank, with a linear head for each retained attribute."""

    def __init__(self, down: Tensor, up: Tensor, mean: Tensor, retained: list[int]) -> None:
        super().__init__()
        self.down, self.up = nn.Parameter(down), nn.Parameter(up)
        self.inside, self.outside = nn.Parameter(-down @ mean), nn.Parameter(mean.clone())
        self.heads = nn.ModuleList(nn.Linear(len(down), k) for k in retained)

    def start_heads(self, z: Tensor, retained: Sequence[Tensor]) -> None:
        """Initialise each head as the nearest class mean, which is its solution where z is white: it lags less."""
        with torch.no_grad():
            c = self.project(z)
            for head, v in zip(self.heads, retained, strict=True):
                weight, bias = head.parameters()
                for code in torch.unique(v[v >= 0]).tolist():
                    middle = c[v == code].mean(dim=0)
                    weight[code], bias[code] = middle, -middle.square().sum() / 2

    def project(self, z: Tensor) -> Tensor:
        """Return the projected features, (n, rank)."""
        return functional.linear(z.float(), self.down, self.inside)

    def forward(self, z: Tensor) -> Tensor:
        """Map each row, (n, d) or (n, d, 1, …)."""
        with torch.autocast(z.device.type, enabled=False):
            mapped = functional.linear(self.project(vectors(z)), self.up, self.outside)
        return mapped.to(z.dtype).reshape(z.shape)


def refined(projection: LowRank, z: Tensor, scores: Tensor, leak: Callable[[Tensor], Tensor], *, stay: float) -> Affine:
    """Return the projection after a refinement on all training rows that reduces its leakage, with the encoder fixed.

    In training, the adversary is fitted on a batch and on rows of an older encoder. Here, the directions that the
    scores depend on stay; only the few others move. The output is the least-squares reconstruction of the former
    output from the new directions: the layers behind were trained on that.

    Args:
        projection: As it was trained.
        z: The features before it, (n, d).
        scores: The model's scores behind it, (n, k).
        leak: Leakage of whitened features (n, rank), a scalar to minimise.
        stay: Weight of the share of the other directions that changed.
    """
    white = whitened(z)
    with torch.no_grad():
        inside = projection.project(z).double()
        begun = torch.linalg.qr(white.rows.T @ inside).Q  # (m, rank): whatever its own scales are
        used_to = projection(z).double()
        scores_on = begun.T @ white.rows.T @ (scores - scores.mean(dim=1, keepdim=True)).double()
        turned, lengths, _ = torch.linalg.svd(scores_on, full_matrices=True)
        needed = int((lengths > 1e-6 * lengths[0].clamp_min(TINY)).sum())
        fixed, others = begun @ turned[:, :needed], begun @ turned[:, needed:]
    free = others.clone().requires_grad_()

    def passing() -> Tensor:
        return torch.cat([fixed, free - fixed @ (fixed.T @ free)], dim=1)

    optimizer = torch.optim.Adam([free], lr=RATE)
    for _ in range(STEPS if free.numel() else 0):
        changed = (free - others).square().sum() / free.shape[1]
        optimizer.zero_grad()
        (leak(white.rows @ passing()) + stay * changed).backward()
        optimizer.step()
    with torch.no_grad():
        through = passing() @ torch.linalg.pinv(passing())  # (m, m): the projection onto what passes
        weight = (white.to @ through @ (white.rows.T @ used_to / len(z))).T
        return Affine(weight.float(), (used_to.mean(dim=0) - weight @ white.mean).float())

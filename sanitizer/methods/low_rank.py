"""An affine map through fewer dimensions: how it begins in white coordinates, and how it is settled at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.model.release import Affine, vectors
from sanitizer.information import TINY

ROWS_PER_DIRECTION = 16
"""White coordinates are of the largest directions, at most one for so many rows: what the small ones tell is noise."""
STEPS, RATE = 30, 0.01
"""Of Adam, by which the map is settled."""


@dataclass(frozen=True)
class White:
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


def whitened(z: Tensor) -> White:
    """Return features (n, d), standardised first, in white coordinates."""
    z = z.double()
    mean, spread = z.mean(dim=0), z.std(dim=0).clamp_min(1e-6)
    _, lengths, axes = torch.linalg.svd((z - mean) / spread, full_matrices=False)
    most = min(max(1, len(z) // ROWS_PER_DIRECTION), int((lengths > 1e-4 * lengths[0]).sum()))
    scale, axes = lengths[:most] / len(z) ** 0.5, axes[:most]
    to = (axes / spread).T / scale
    return White((z - mean) @ to, mean, to, axes * scale[:, None] * spread, scale)


class Narrow(nn.Module):
    """An affine map through fewer dimensions, and what reads the attributes to keep from there."""

    def __init__(self, down: Tensor, up: Tensor, mean: Tensor, kept: list[int]) -> None:
        super().__init__()
        self.down, self.up = nn.Parameter(down), nn.Parameter(up)
        self.inside, self.outside = nn.Parameter(-down @ mean), nn.Parameter(mean.clone())
        self.heads = nn.ModuleList(nn.Linear(len(down), k) for k in kept)

    def read(self, z: Tensor, kept: Sequence[Tensor]) -> None:
        """Let each head begin as the nearest class mean, which is its solution where z is white: it lags less."""
        with torch.no_grad():
            c = self.narrow(z)
            for head, v in zip(self.heads, kept, strict=True):
                weight, bias = head.parameters()
                for code in torch.unique(v).tolist():
                    middle = c[v == code].mean(dim=0)
                    weight[code], bias[code] = middle, -middle.square().sum() / 2

    def narrow(self, z: Tensor) -> Tensor:
        """Return the features that pass, (n, rank)."""
        return functional.linear(z.float(), self.down, self.inside)

    def forward(self, z: Tensor) -> Tensor:
        """Map each row, (n, d) or (n, d, 1, …)."""
        with torch.autocast(z.device.type, enabled=False):
            mapped = functional.linear(self.narrow(vectors(z)), self.up, self.outside)
        return mapped.to(z.dtype).reshape(z.shape)


def settled(narrow: Narrow, z: Tensor, scores: Tensor, leak: Callable[[Tensor], Tensor], *, stay: float) -> Affine:
    """Return the map after it has moved away from what it leaks, with all training rows before it and none of them old.

    In training the leak is solved on a batch and on rows that the encoder saw some steps before; now the encoder
    stands still. What the scores are made of goes on passing; only the other few directions among hundreds move, and
    what is put in their place is what the model was used to, as a linear map of what passes now.

    Args:
        narrow: The map as it was trained.
        z: The features before it, (n, d).
        scores: What the model makes of them behind it, (n, k).
        leak: What white features (n, rank) tell, a scalar to be made small.
        stay: Weight of the share of the other directions that changed.
    """
    white = whitened(z)
    with torch.no_grad():
        begun = torch.linalg.qr(white.rows.T @ narrow.narrow(z).double()).Q  # (m, rank): whatever its own scales are
        used_to = narrow(z).double()
        said = begun.T @ white.rows.T @ (scores - scores.mean(dim=1, keepdim=True)).double()
        turned, lengths, _ = torch.linalg.svd(said, full_matrices=True)
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

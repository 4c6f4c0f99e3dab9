"""The rich release: v goes, the attributes that are named stay, at a narrow bottleneck whose leak is solved exactly.

The bottleneck becomes an affine map of a low rank: what does not pass through it is gone, and whitening, by which
attackers find what a wide layer hides in its small directions, finds little in a narrow one. It begins with the
directions that tell the task and the attributes to keep, without those that tell v in a line. Encoder and map are
trained on the task, on the attributes to keep, and against kernel ridge regression of v on the narrow features,
solved in closed form on each batch and the rows just before it, within each class of the task.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.released import Affine, vectors
from sanitizer.information import by_class, explained_share
from sanitizer.methods.objective import Batch, Objective, Rows, Setting, Terms

ROWS_PER_DIRECTION = 16
"""The map begins with directions among the largest, at most one for so many rows: what the small ones tell is noise."""


@dataclass(frozen=True)
class Rich:
    """Settings of the rich release."""

    weight: float = 10.0
    rank: int = 8
    """Dimensions that pass: in more of them the solved head sees less of what is not linear."""
    ridge: float = 1e-2
    """Regularisation of the solved head, as a share of its rows: with less it learns a small training set by heart."""
    keep_weight: float = 1.0
    """Of the mean loss of the attributes to keep, beside the task's."""
    memory: int = 1024
    """Earlier rows that the head is solved on beside the batch; no gradient goes through them."""
    conditional: bool = True
    """Within each class of the task: what the task itself tells may stay; else all of v."""

    def start(self, setting: Setting) -> "RichObjective":
        """Begin with the directions that tell what stays, or of largest variance where nothing is named, without v's.

        Source: v's directions go as in LEACE (Belrose et al., NeurIPS 2023), here within each class of the task.
        """
        rows = setting.look()
        z = rows.before.double()
        mean, spread = z.mean(dim=0), z.std(dim=0).clamp_min(1e-6)
        _, lengths, axes = torch.linalg.svd((z - mean) / spread, full_matrices=False)
        most = min(max(1, len(z) // ROWS_PER_DIRECTION), int((lengths > 1e-4 * lengths[0]).sum()))
        scale, axes = lengths[:most] / len(z) ** 0.5, axes[:most]
        white = (z - mean) / spread @ axes.T / scale  # (n, most)
        stays = [_telling(white, rows.v[name]) for name in setting.keep]
        wanted = torch.cat([*stays, _telling(white, rows.y)], dim=1) if stays else scale.diag()
        classes = [rows.y == c for c in torch.unique(rows.y)] if self.conditional else [torch.ones_like(rows.y).bool()]
        goes = [_telling(white[own], rows.v[name][own]) for name in setting.classes for own in classes]
        if goes:
            private = _basis(torch.cat(goes, dim=1), most)
            wanted = wanted - private @ (private.T @ wanted)
        passing = _basis(wanted, self.rank)  # (most, rank)
        down, up = (passing.T / scale) @ axes / spread, (axes.T * scale) @ passing * spread[:, None]
        narrow = Narrow(down.float(), up.float(), mean.float(), list(setting.keep.values()))
        narrow.read(rows.before, [rows.v[name] for name in setting.keep])
        return RichObjective(narrow, setting, self)


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


class RichObjective(Objective):
    """The map at work."""

    def __init__(self, narrow: Narrow, setting: Setting, settings: Rich) -> None:
        super().__init__()
        self.release: Narrow = narrow
        self._settings, self._classes, self._keep = settings, dict(setting.classes), dict(setting.keep)
        self._past: deque[tuple[Tensor, Tensor, dict[str, Tensor]]] = deque()

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss, what the solved head explains of each attribute, and the loss of what is kept."""
        c = self.release.narrow(batch.before)  # (n, rank)
        rows = torch.cat([c, *(one[0] for one in self._past)])
        y = torch.cat([batch.y, *(one[1] for one in self._past)])
        told = {}
        for name, k in self._classes.items():
            v = torch.cat([batch.v[name], *(one[2][name] for one in self._past)])
            share = partial(explained_share, k=k, ridge=self._settings.ridge)
            told[name] = by_class(share, rows, v, y) if self._settings.conditional else share(rows, v)
        self._past.appendleft((c.detach(), batch.y, {name: batch.v[name] for name in self._classes}))
        while len(self._past) * len(c) > self._settings.memory:
            self._past.pop()
        losses = [
            functional.cross_entropy(head(c), batch.v[name], weight=_balance(batch.v[name], k))
            for (name, k), head in zip(self._keep.items(), self.release.heads, strict=True)
        ]
        kept = self._settings.keep_weight * torch.stack(losses).mean() if losses else None
        return Terms(functional.cross_entropy(batch.scores, batch.y), told, kept)

    def finished(self, rows: Callable[[], Rows]) -> Affine:  # noqa: ARG002
        """Return the map alone."""
        narrow = self.release
        with torch.no_grad():
            up, down = narrow.up.double(), narrow.down.double()
            offset = up @ narrow.inside.double() + narrow.outside.double()
            return Affine((up @ down).float(), offset.float())

    def get_extra_state(self) -> list[tuple[Tensor, Tensor, dict[str, Tensor]]]:
        """Return the rows that are remembered."""
        return list(self._past)

    def set_extra_state(self, state: list[tuple[Tensor, Tensor, dict[str, Tensor]]]) -> None:
        """Take them back."""
        on = self.release.down.device
        self._past = deque((c.to(on), y.to(on), {name: v.to(on) for name, v in told.items()}) for c, y, told in state)


def _telling(white: Tensor, v: Tensor) -> Tensor:
    """Return what each direction tells of each class, (d, classes): its covariance with membership, over √share.

    Args:
        white: Features of mean 0 and covariance 1, (n, d).
        v: Labels, (n,) int64.
    """
    member = functional.one_hot(torch.unique(v, return_inverse=True)[1]).to(white.dtype)
    share = member.mean(dim=0)
    correlation: Tensor = white.T @ ((member - share) / share.sqrt()) / len(white)
    return correlation


def _basis(columns: Tensor, most: int) -> Tensor:
    """Return orthonormal directions of what the columns span, (d, at most `most`), the strongest first."""
    directions, lengths, _ = torch.linalg.svd(columns, full_matrices=False)
    basis: Tensor = directions[:, : min(most, int((lengths > 1e-6 * lengths[0]).sum()))]
    return basis


def _balance(v: Tensor, k: int) -> Tensor:
    """Return a weight for each class, so that all classes of a batch count alike."""
    counts = torch.bincount(v, minlength=k).clamp_min(1)
    return len(v) / (k * counts.float())

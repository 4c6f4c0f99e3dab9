"""The rich release: v goes, the attributes that are named stay, at a narrow bottleneck whose leak is solved exactly.

The bottleneck becomes an affine map of a low rank: what does not pass through it is gone, and whitening, by which
attackers find what a wide layer hides in its small directions, finds little in a narrow one. It begins with the
directions that tell the task and the attributes to keep, without those that tell v in a line. Encoder and map are
trained on the task, on the attributes to keep, and against kernel ridge regression of v on the narrow features,
solved in closed form on each batch and the rows just before it, within each class of the task. At the end the map is
settled against the same head, solved on all rows at once.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from audit.model.release import Affine
from sanitizer.information import by_class, explained_share
from sanitizer.methods.base import Batch, Objective, Rows, Setting, Terms
from sanitizer.methods.low_rank import Narrow, settled, whitened

SETTLED_ON = 2000
"""Training rows, drawn anew for each step, that the head is solved on when the map is settled: it costs their cube."""

CARD = MethodCard(
    description="narrows the bottleneck to a map of low rank and removes what an exactly solved head reads there; "
    "attributes that are named stay",
    mark="P",
    light="#17653a",
    dark="#74cf9a",
)


@dataclass(frozen=True)
class Rich:
    """Settings of the rich release."""

    weight: float = 5.0
    rank: int = 8
    """Dimensions that pass: in more of them the solved head sees less of what is not linear."""
    ridge: float = 1e-2
    """Regularisation of the solved head, as a share of its rows: with less it learns a small training set by heart."""
    keep_weight: float = 1.0
    """Of the mean loss of the attributes to keep, beside the task's."""
    memory: int = 1024
    """Earlier rows that the head is solved on beside the batch; no gradient goes through them."""
    stay: float = 10.0
    """Of the share of its directions that the map may change at the end, beside `weight` times the leak."""
    conditional: bool = True
    """Within each class of the task: what the task itself tells may stay; else all of v."""

    def start(self, setting: Setting) -> "RichObjective":
        """Begin with the directions that tell what stays, or of largest variance where nothing is named, without v's.

        Source: v's directions go as in LEACE (Belrose et al., NeurIPS 2023), here within each class of the task.
        """
        rows = setting.look()
        white = whitened(rows.before)
        stays = [_telling(white.rows, rows.v[name]) for name in setting.keep]
        wanted = torch.cat([*stays, _telling(white.rows, rows.y)], dim=1) if stays else white.scale.diag()
        classes = [rows.y == c for c in torch.unique(rows.y)] if self.conditional else [torch.ones_like(rows.y).bool()]
        goes = [_telling(white.rows[own], rows.v[name][own]) for name in setting.classes for own in classes]
        if goes:
            private = _basis(torch.cat(goes, dim=1), white.rows.shape[1])
            wanted = wanted - private @ (private.T @ wanted)
        passing = _basis(wanted, self.rank)  # (m, rank)
        down, up = (white.to @ passing).T, (passing.T @ white.back).T
        narrow = Narrow(down.float(), up.float(), white.mean.float(), list(setting.keep.values()))
        narrow.read(rows.before, [rows.v[name] for name in setting.keep])
        return RichObjective(narrow, setting, self)


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
        v = {name: torch.cat([batch.v[name], *(one[2][name] for one in self._past)]) for name in self._classes}
        told = self._told(rows, v, y)
        self._past.appendleft((c.detach(), batch.y, {name: batch.v[name] for name in self._classes}))
        while len(self._past) * len(c) > self._settings.memory:
            self._past.pop()
        losses = [
            functional.cross_entropy(head(c), batch.v[name], weight=_balance(batch.v[name], k))
            for (name, k), head in zip(self._keep.items(), self.release.heads, strict=True)
        ]
        kept = self._settings.keep_weight * torch.stack(losses).mean() if losses else None
        return Terms(functional.cross_entropy(batch.scores, batch.y), told, kept)

    def finished(self, rows: Callable[[], Rows]) -> Affine:
        """Return the map alone, settled."""
        seen = rows()
        generator = torch.Generator().manual_seed(0)

        def leak(c: Tensor) -> Tensor:
            some = torch.randperm(len(c), generator=generator, device="cpu")[:SETTLED_ON].to(c.device)
            v = {name: seen.v[name][some] for name in self._classes}
            told = self._told(c[some], v, seen.y[some])
            return self._settings.weight * torch.stack([*told.values(), c.sum() * 0]).sum()

        return settled(self.release, seen.before, seen.scores, leak, stay=self._settings.stay)

    def _told(self, c: Tensor, v: Mapping[str, Tensor], y: Tensor) -> dict[str, Tensor]:
        """Return what the solved head explains of each attribute from narrow features (n, rank)."""
        told = {}
        for name, k in self._classes.items():
            share = partial(explained_share, k=k, ridge=self._settings.ridge)
            told[name] = by_class(share, c, v[name], y) if self._settings.conditional else share(c, v[name])
        return told

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

"""Rich release: a low-rank bottleneck that removes v and retains named attributes, against an exactly solved adversary.

The representation is projected to a low rank. Whitening, by which attackers find what a wide layer hides in directions
of small variance, finds little in a narrow one. The projection begins with the directions predictive of the task and of
the retained attributes, minus those linearly predictive of v. Encoder and projection are trained on the task, on the
retained attributes, and against a kernel ridge regression of v on the projected features, solved in closed form on
each batch and the rows just before it, within each class of the task. Finally the projection is refined once against
the same adversary on all training rows.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from audit.model.maps.affine_and_code import Affine
from sanitizer.methods.base import ANY_TASK, Batch, Rows, Setting, Terms
from sanitizer.methods.heads import retained_loss
from sanitizer.methods.kernel import KernelObjective
from sanitizer.methods.low_rank import LowRank, refined, require_rank, whitened

REFINED_ON = 2000
"""Rows subsampled at each step of the final refinement; kernel ridge regression is O(n³) in them."""

DESCRIPTION = (
    "narrows the bottleneck to a map of low rank and removes what an exactly solved head reads there; "
    "attributes that are named stay"
)
CARD = MethodCard(description=DESCRIPTION, mark="P", light="#17653a", dark="#74cf9a")

RANK = 8
"""Of the projection, if none is asked for."""


@dataclass(frozen=True)
class Rich:
    """Settings of the rich release."""

    tasks: ClassVar = ANY_TASK
    weight: float = 5.0
    rank: int = RANK
    """Rank of the projection: in more dimensions the adversary finds less of what is not linear."""
    ridge: float = 1e-2
    """Regularisation of the adversary, as a share of its rows: with less it overfits a small training set."""
    keep_weight: float = 1.0
    """Weight of the mean loss of the retained attributes, beside the task's."""
    memory: int = 1024
    """Earlier rows that the adversary is fitted on beside the batch; no gradient goes through them."""
    stay: float = 10.0
    """Weight of the share of directions that the final refinement changes, beside `weight` times the leakage."""
    conditional: bool = True
    """Within each class of the task, which allows the leakage of the task's label itself; else all of v."""

    def start(self, setting: Setting) -> "RichObjective":
        """Begin with the directions predictive of task and retained attributes, or the largest without any, minus v's.

        Source: LEACE (Belrose et al., NeurIPS 2023) for v's directions, here within each class of the task.
        """
        require_rank(None if self.rank == RANK else self.rank, setting.width)
        rows = setting.look()
        white = whitened(rows.before)
        known = {name: rows.v[name] >= 0 for name in setting.keep}
        retained = [_predictive(white.rows[own], rows.v[name][own]) for name, own in known.items()]
        wanted = torch.cat([*retained, _predictive(white.rows, rows.y)], dim=1) if retained else white.scale.diag()
        classes = [rows.y == c for c in torch.unique(rows.y)] if self.conditional else [torch.ones_like(rows.y).bool()]
        removed = [_predictive(white.rows[own], rows.v[name][own]) for name in setting.classes for own in classes]
        if removed:
            private = _basis(torch.cat(removed, dim=1), white.rows.shape[1])
            wanted = wanted - private @ (private.T @ wanted)
        directions = _basis(wanted, self.rank)  # (m, rank)
        down, up = (white.to @ directions).T, (directions.T @ white.back).T
        projection = LowRank(down.float(), up.float(), white.mean.float(), list(setting.keep.values()))
        projection.start_heads(rows.before, [rows.v[name] for name in setting.keep])
        return RichObjective(projection, setting, self)


class RichObjective(KernelObjective):
    """The projection in training, against the kernel adversary on projected features."""

    def __init__(self, projection: LowRank, setting: Setting, settings: Rich) -> None:
        super().__init__(setting.classes, settings.ridge, conditional=settings.conditional)
        self.release: LowRank = projection
        self._settings, self._keep = settings, setting.keep
        self._past: deque[tuple[Tensor, Tensor, dict[str, Tensor]]] = deque()

    def terms(self, batch: Batch) -> Terms:
        """Return the losses of the task and of the retained attributes, and each attribute's explained share."""
        c = self.release.project(batch.before)  # (n, rank)
        rows = torch.cat([c, *(one[0] for one in self._past)])
        y = torch.cat([batch.y, *(one[1] for one in self._past)])
        v = {name: torch.cat([batch.v[name], *(one[2][name] for one in self._past)]) for name in self._classes}
        leakage = self.explained(rows, v, y)
        self._past.appendleft((c.detach(), batch.y, {name: batch.v[name] for name in self._classes}))
        while len(self._past) * len(c) > self._settings.memory:
            self._past.pop()
        losses = [
            retained_loss(head(c), batch.v[name], k)
            for (name, k), head in zip(self._keep.items(), self.release.heads, strict=True)
        ]
        kept = self._settings.keep_weight * torch.stack(losses).mean() if losses else None
        return Terms(batch.task_loss, leakage, kept)

    def finished(self, rows: Callable[[], Rows]) -> Affine:
        """Return the projection alone, refined."""
        seen = rows()
        generator = torch.Generator().manual_seed(0)

        def leak(c: Tensor) -> Tensor:
            some = torch.randperm(len(c), generator=generator, device="cpu")[:REFINED_ON].to(c.device)
            v = {name: seen.v[name][some] for name in self._classes}
            explained = self.explained(c[some], v, seen.y[some])
            return self._settings.weight * torch.stack([*explained.values(), c.sum() * 0]).sum()

        # `refined` leaves out what all scores of a row have in common, and a number has no other beside it
        scores = seen.scores if seen.wanted is None else torch.cat([seen.scores, -seen.scores], dim=1)
        return refined(self.release, seen.before, scores, leak, stay=self._settings.stay)

    def get_extra_state(self) -> list[tuple[Tensor, Tensor, dict[str, Tensor]]]:
        """Return the earlier rows."""
        return list(self._past)

    def set_extra_state(self, state: list[tuple[Tensor, Tensor, dict[str, Tensor]]]) -> None:
        """Take them back."""
        on = self.release.down.device
        self._past = deque((c.to(on), y.to(on), {name: one.to(on) for name, one in v.items()}) for c, y, v in state)


def _predictive(white: Tensor, v: Tensor) -> Tensor:
    """Return the covariance of each of d white directions with membership in each class over √share, (d, classes)."""
    member = functional.one_hot(torch.unique(v, return_inverse=True)[1]).to(white.dtype)
    share = member.mean(dim=0)
    correlation: Tensor = white.T @ ((member - share) / share.sqrt()) / len(white)
    return correlation


def _basis(columns: Tensor, most: int) -> Tensor:
    """Return orthonormal directions of the columns' span, (d, at most `most`), the strongest first."""
    directions, lengths, _ = torch.linalg.svd(columns, full_matrices=False)
    basis: Tensor = directions[:, : min(most, int((lengths > 1e-6 * lengths[0]).sum()))]
    return basis

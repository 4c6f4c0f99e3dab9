"""MANCE++, re-made: steps along the manifold, away from probes of v (Avitan, Goldberg and Elazar, 2026)."""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from erasers import Eraser, Floats, Seen, floats, leace, standardised
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize


@dataclass(frozen=True)
class Manifold:
    """Natural features, and how they vary around any point."""

    natural: Tensor
    """(n, d), never edited."""
    neighbours: int
    """Of a point, from which its tangent space is estimated."""

    def step(self, z: Tensor, gradients: Tensor, *, reach: float, own: bool = False) -> Tensor:
        """Return z, (m, d), with less of what lies along the gradients, (m, d), and along the manifold.

        Args:
            z: Where the points are now.
            gradients: Of a probe, there.
            reach: Length of a step, as a share of the mean distance to the neighbours.
            own: Whether z are the natural features themselves, edited: none is then a neighbour of its own.
        """
        moved = []
        for start in range(0, len(z), 256):
            rows = torch.arange(start, min(start + 256, len(z)))
            distances = torch.cdist(z[rows], self.natural)
            if own:
                distances[torch.arange(len(rows)), rows] = torch.inf
            nearest, index = distances.topk(self.neighbours, dim=1, largest=False)
            around = self.natural[index]
            around = around - around.mean(dim=1, keepdim=True)  # (m, neighbours, d)
            squares, left = torch.linalg.eigh(around @ around.mT)
            sizes, left = squares[:, 1:].clamp(min=1e-12).sqrt(), left[:, :, 1:]  # centred: the smallest is 0
            both = torch.stack([normalize(gradients[rows]), z[rows]], dim=2)
            along, place = ((left.mT @ (around @ both)) / sizes[:, :, None]).unbind(dim=2)  # tangent coordinates
            weighted = (around.mT @ (left @ along[:, :, None]))[..., 0]  # each by its singular value
            change = (along * place).sum(dim=1, keepdim=True) * weighted
            longest = reach * nearest.mean(dim=1, keepdim=True)
            moved.append(z[rows] - change * (longest / change.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=64))
        return torch.cat(moved)


def mance(
    fit: Seen,
    *,
    steps: int = 60,
    reach: float = 0.1,
    uneven: int = 2,
    refit: int = 8,
    passes: int = 400,
    hidden: int = 256,
    most: int = 5000,
    seed: int = 0,
) -> Eraser:
    """Apply LEACE, drop where the classes' covariances differ most, then step along the manifold, away from probes.

    Re-made from Avitan, Goldberg and Elazar, MANCE++, July 2026 (arXiv 2607.03973; github.com/MatanAvitan/mance). A
    probe (MLP, two hidden layers) is refitted every few steps. A step moves each row against the probe's gradient,
    projected on the tangent space that its nearest natural neighbours span and weighted by its singular values, as
    far as a share of the distance to these neighbours. Number of neighbours, share, refits and steps are theirs.

    Assumed for more than two classes, which they do not treat: the gradient is that of the log-odds of the class the
    probe believes in, and covariances differ in the eigenvectors of the sum of (class - mean of classes) squared;
    both are theirs at k = 2. Changed: the mean direction is not dropped again after LEACE, the mean stays where it
    was, a row of `fit` is never a neighbour of its own, the probe standardises its inputs, is smaller and trained
    for fewer passes (there 512 and 800), and all steps are made (there until an attacker on the test rows is at
    chance). As there, LEACE and the probe learn from one part of the rows, and another chooses when a probe stops;
    new rows make the same steps among the same natural neighbours.

    Args:
        fit: Rows to learn from.
        steps: After LEACE; the more, the less is left of v and of all else.
        reach: Length of a step, as a share of the mean distance to the neighbours.
        uneven: Directions to drop in which covariances differ; 0 makes it MANCE+.
        refit: Steps made with one probe.
        passes: Batches of 256 that a probe learns from.
        hidden: Width of the probe.
        most: Rows to learn from, drawn at random if there are more.
        seed: Of the rows, the quarter that chooses, and the probes.
    """
    order = np.random.default_rng(seed).permutation(len(fit.z))[:most]
    learn, check = order[len(order) // 4 :], order[: len(order) // 4]
    linear = leace(Seen(fit.z[learn], fit.v[learn], fit.y[learn]))
    z, v = torch.from_numpy(linear(fit.z)), torch.tensor(fit.v)
    centre, dropped = z[learn].mean(dim=0), _uneven(z[learn], v[learn], uneven)

    def begin(rows: Floats) -> Tensor:
        z = torch.from_numpy(linear(rows))
        return z - ((z - centre) @ dropped) @ dropped.T

    z, v = begin(fit.z[order]), v[order]
    chooses, learns = torch.arange(len(z)).tensor_split([len(check)])
    manifold, probes = Manifold(z, _neighbours(z)), list[nn.Module]()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        probe = _probe(z, int(fit.v.max()) + 1, hidden)
        for step in range(steps):
            if step % refit == 0:
                probe = _taught(copy.deepcopy(probe), z, v, learns, chooses, passes)
            probes.append(probe)
            z = manifold.step(z, _gradients(probe, z), reach=reach, own=True)

    def erase(rows: Floats) -> Floats:
        z = begin(rows)
        for probe in probes:
            z = manifold.step(z, _gradients(probe, z), reach=reach)
        return floats(z)

    return erase


def _uneven(z: Tensor, v: Tensor, count: int) -> Tensor:
    """Return the directions in which the covariances of the classes differ most, (d, count), of (n, d) and (n,)."""
    covariances = torch.stack([torch.cov(z[v == code].T.double(), correction=0) for code in torch.unique(v)])
    apart = covariances - covariances.mean(dim=0)
    directions: Tensor = torch.linalg.eigh((apart @ apart).sum(dim=0))[1].float()
    return directions[:, len(directions) - count :]


def _neighbours(z: Tensor) -> int:
    """Return the intrinsic dimension of z, (n, d), by the distances to two neighbours (Facco et al., 2017), or 8."""
    first, second = torch.cdist(z, z).topk(3, dim=1, largest=False).values[:, 1:].clamp(min=1e-12).unbind(dim=1)
    ratios = float((second / first).log().sum())
    return min(max(8, math.ceil(len(z) / max(ratios, 1e-12))), len(z) - 1)


def _probe(z: Tensor, k: int, hidden: int) -> nn.Module:
    with torch.no_grad():
        scale = standardised(z).requires_grad_(False)
    wide = [nn.Linear(z.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU()]
    return nn.Sequential(scale, *wide, nn.Linear(hidden, k))


def _taught(probe: nn.Module, z: Tensor, v: Tensor, learn: Tensor, check: Tensor, passes: int) -> nn.Module:
    """Train a probe of z, (n, d), on some rows, and go back to where it read v, (n,), best on others."""
    optimizer = torch.optim.AdamW([p for p in probe.parameters() if p.requires_grad], lr=1e-3, weight_decay=1e-4)
    best, kept = -1.0, probe.state_dict()
    for batch in range(1, passes + 1):
        rows = learn[torch.randint(len(learn), (256,))]
        loss = cross_entropy(probe(z[rows]), v[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if batch % 10 == 0:
            with torch.no_grad():
                right = float((probe(z[check]).argmax(dim=1) == v[check]).float().mean())
            if right > best:
                best, kept = right, copy.deepcopy(probe.state_dict())
    probe.load_state_dict(kept)
    return probe


def _gradients(probe: nn.Module, z: Tensor) -> Tensor:
    """Return how the log-odds of the class that the probe believes in change with z, (n, d)."""
    z = z.detach().requires_grad_()
    logits = probe(z)
    believed, index = logits.max(dim=1)
    others = logits.scatter(1, index[:, None], -torch.inf).logsumexp(dim=1)
    (gradients,) = torch.autograd.grad((believed - others).sum(), z)
    return gradients

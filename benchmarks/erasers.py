"""What others do to features that are already there: five erasers, each in one form.

An eraser is fitted on rows that no attacker gets, and gives a function of the features alone, so that new rows need
no label. INLP, Obliviator and MANCE++ are re-made here from their papers and public repositories; no line of those
is copied, and every figure for them is a figure of this re-making. What was left open or changed stands in the
docstring of each. Settings are the authors' where they fit in a minute on one core, and otherwise the best that
were found on development features.
"""

import copy
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
from torch.nn.functional import cross_entropy, normalize, one_hot

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
        from concept_erasure import LeaceEraser  # noqa: PLC0415 - wanted by this alone

    fitted = LeaceEraser.fit(_doubles(fit.z), _indicators(fit.v).double())

    def erase(z: Floats) -> Floats:
        return _floats(fitted(_doubles(z)))

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
    learn, check = _parts(len(scaled), seed=seed)
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


@dataclass(frozen=True)
class Waves:
    """Random Fourier features, whose products are a Gaussian kernel: (n, d) to (n, D)."""

    weights: Tensor
    """Draws of a normal distribution over the kernel's width, (d, D / 2)."""

    def __call__(self, z: Tensor) -> Tensor:
        """Return sines and cosines, (n, D)."""
        angles = z @ self.weights
        return torch.cat([angles.sin(), angles.cos()], dim=1) / math.sqrt(self.weights.shape[1])


@dataclass(frozen=True)
class Stage:
    """One iteration of Obliviator, applied: encoder, Fourier features, projection, each row to length 1."""

    encoder: nn.Module
    waves: Waves
    projection: Tensor
    """Orthonormal columns in the null space of Cov(v, waves), (D, d')."""

    def __call__(self, z: Tensor) -> Tensor:
        """Return (n, d')."""
        return normalize(self.waves(normalize(self.encoder(z))) @ self.projection)


def obliviator(
    fit: Seen,
    *,
    blind: bool = False,
    iterations: int = 15,
    steps: int = 20,
    features: int = 1000,
    hidden: int = 256,
    seed: int = 0,
) -> Eraser:
    """Encode so that a kernel sees no dependence on v, drop what is correlated with v, and begin again.

    Re-made from Akbari, Afshari and Boddeti, NeurIPS 2025 (arXiv 2603.07529; github.com/ramin-akbari/Obliviator).
    An iteration trains a fresh encoder (one hidden layer, rows to length 1) to lower HSIC(w, v) while keeping a
    little HSIC(w, x), HSIC(w, z of before) and, unless blind, HSIC(w, y), all through random Fourier features; then
    it takes, among the directions of the features of w that are uncorrelated with v, those that co-vary with what
    is to be kept. Weights, tolerances, least kernel widths and the optimiser are the authors' smaller setting.

    Changed for the size of this data: batches of at most 1,024 rows with `steps` steps an iteration (there 16,384
    rows and 5 passes), fewer Fourier features and a narrower encoder (there up to 4,000 and 512), kernel widths from
    500 rows, and always all iterations (there until an attacker on the test rows falls below a threshold). New rows
    go through the stored stages, as the authors' test rows do. Beside the authors' code, given the same settings, it
    left as much to attackers within the spread of seeds.

    Args:
        fit: Rows to learn from.
        blind: Keep the features alone in mind, not y: what the authors call unsupervised.
        iterations: Encoders, one after the other.
        steps: Of the optimiser in each iteration.
        features: D, Fourier features of w; x and z get half as many.
        hidden: Width of the encoder.
        seed: Of encoders, Fourier features and batches.
    """
    z, v, y = torch.tensor(fit.z), _indicators(fit.v), _indicators(fit.y)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        wanted = [] if blind else [(_waves(y, 100, least=0.8, smooth=0.8)(y), 2.0, 2.0)]
        scale = _standardised(z)
        x = normalize(scale(z))
        waves = _waves(x, features, least=0.2)
        w = waves(x)
        gains = [(w - w.mean(dim=0), 1.0)] if blind else [(_covariance(w, w), 0.2), (_covariance(wanted[0][0], w), 2.0)]
        stages = [Stage(scale, waves, _released(w, v, gains, share=1e-3 if blind else 3e-5))]
        x = z = stages[0](z)
        kept = _waves(x, features // 2, least=0.2)(x)
        for iteration in range(iterations):
            before = [] if iteration == 0 else [(_waves(z, features // 2, least=1.5)(z), 0.1, 1.0)]
            aims = [*before, (kept, 0.1, 0.2), *wanted]
            with torch.enable_grad():
                encoder = _encoder(z, v, [(aim, tau) for aim, tau, _ in aims], steps, features, hidden)
            w = normalize(encoder(z))
            waves = _waves(w, features, least=1.5, smooth=1.25)
            w = waves(w)
            gains = [(_covariance(aim, w), weight) for aim, _, weight in aims]
            stages.append(Stage(encoder, waves, _released(w, v, gains, share=5e-5 if blind else 1e-5)))
            if iteration == 1:  # from here on x is what the first iteration made of it
                kept = _waves(z, features // 2, least=1.5)(z)
            z = stages[-1](z)

    def erase(z: Floats) -> Floats:
        with torch.no_grad():
            out = torch.tensor(z)
            for stage in stages:
                out = stage(out)
        return _floats(out)

    return erase


def _encoder(
    z: Tensor, v: Tensor, aims: list[tuple[Tensor, float]], steps: int, features: int, hidden: int
) -> nn.Module:
    """Train an encoder of z, (n, d): away from v, (n, k), towards the aims, each (n, D) with its weight."""
    encoder = nn.Sequential(nn.Linear(z.shape[1], hidden), nn.GELU())
    optimizer = torch.optim.NAdam(
        encoder.parameters(), lr=5e-4, betas=(0.85, 0.999), weight_decay=0.05, decoupled_weight_decay=True
    )
    for _ in range(steps):
        batch = torch.randperm(len(z))[:1024]
        w = normalize(encoder(z[batch]))
        w = _waves(w.detach(), features, least=1.5, smooth=1.25)(w)
        loss = _covariance(v[batch], w).norm()
        for aim, tau in aims:
            loss = loss - tau * _covariance(aim[batch], w).norm(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def _waves(z: Tensor, features: int, *, least: float, smooth: float = 1.0) -> Waves:
    """Draw Fourier features for a kernel as wide as the median distance of rows of z, (n, d)."""
    distances = torch.pdist(z[torch.randperm(len(z))[:500]])
    width = max(smooth * float(distances.median()), least)
    return Waves(torch.randn(z.shape[1], features // 2) / width)


def _covariance(a: Tensor, b: Tensor) -> Tensor:
    """Return Cov(a, b), (p, q), of (n, p) and (n, q)."""
    return (a - a.mean(dim=0)).T @ b / len(a)


def _released(w: Tensor, v: Tensor, gains: list[tuple[Tensor, float]], *, share: float) -> Tensor:
    """Return the directions of w, (n, D), that are uncorrelated with v, (n, k), and matter for the gains.

    Each gain is (r, D) with its weight; `share` is that of the largest eigenvalue below which a direction is dropped.
    """
    _, values, rows = torch.linalg.svd(_covariance(v, w), full_matrices=False)
    told = rows[values > share * values[0]]
    total = torch.zeros(w.shape[1], w.shape[1])
    for gain, weight in gains:
        allowed = gain - (gain @ told.T) @ told
        product = allowed.T @ allowed
        total += weight * product / torch.svd_lowrank(product, q=2)[1][0]
    sizes, directions = torch.linalg.eigh(total / sum(weight for _, weight in gains))
    released: Tensor = directions[:, sizes > share * sizes[-1]]
    return released


def _standardised(z: Tensor) -> nn.Module:
    """Return what takes z, (n, d), to mean 0 and deviation 1; a constant stays 0."""
    deviation = z.std(dim=0)
    scale = nn.Linear(z.shape[1], z.shape[1])
    inverse = torch.where(deviation > 1e-6 * deviation.max(), 1 / deviation, 0.0)
    scale.weight.copy_(torch.diag(inverse))
    scale.bias.copy_(-z.mean(dim=0) * inverse)
    return scale


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
        return _floats(z)

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
        scale = _standardised(z).requires_grad_(False)
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


def _parts(n: int, *, seed: int) -> tuple[Ints, Ints]:
    order = np.random.default_rng(seed).permutation(n)
    return order[n // 4 :], order[: n // 4]


def _indicators(codes: Ints) -> Tensor:
    return one_hot(torch.tensor(codes)).float()


def _doubles(z: Floats) -> Tensor:
    return torch.from_numpy(z.astype(np.float64))


def _floats(z: Tensor) -> Floats:
    return z.numpy().astype(np.float32)

"""Obliviator, re-made: encoders that a kernel reads no v from, one after the other (Akbari et al., NeurIPS 2025)."""

import math
from dataclasses import dataclass

import torch
from erasers import Eraser, Floats, Seen, floats, indicators, standardised
from torch import Tensor, nn
from torch.nn.functional import normalize


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
    z, v, y = torch.tensor(fit.z), indicators(fit.v), indicators(fit.y)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        wanted = [] if blind else [(_waves(y, 100, least=0.8, smooth=0.8)(y), 2.0, 2.0)]
        scale = standardised(z)
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
        return floats(out)

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

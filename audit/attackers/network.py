"""A perceptron in torch that reads all rows in minibatches from a mapped file, on a GPU where it is told to.

Every class weighs the same. Weights and the order of rows come from a generator of its own, so that attackers that
run side by side do not draw from each other's.
"""

import math
from collections.abc import Iterator
from itertools import chain, islice, pairwise
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from torch import Tensor, nn
from torch.nn import functional

from audit.attackers.learner import Labels, Matrix
from audit.bootstrap import Doubles
from audit.data.on_disk import HELD, blocks, in_memory

STEPS = 3000
"""Steps that a small set is gone over for."""
EPOCHS = (20, 40)
"""Fewest and most times that all rows are gone over."""
BATCHES = (128, 512)
"""Smallest and largest batch."""
MANY = 10_000
"""Rows beyond which the decay of the weights falls with the square of their number: many rows hold a network back.

Found on parities of two codes of ACSIncome, occupation and place of birth, with 30,000 and 163,000 rows.
"""
BLOCK = 4096
READ = 4_000_000
"""Numbers of a mapped file that are read at once for the next steps."""
LEARNING_RATE = 2e-3
WARM = 0.1
"""Share of the steps in which the learning rate rises."""


class _Network(BaseEstimator):  # type: ignore[misc]
    """The layers, and how they learn."""

    def __init__(
        self, hidden: tuple[int, ...] = (256,), decay: float = 0.1, random_state: int = 0, device: str = "cpu"
    ) -> None:
        self.hidden = hidden
        self.decay = decay
        self.random_state = random_state
        self.device = device

    def _learn(self, z: Matrix, v: Tensor, answers: int, weight: Tensor | None) -> None:
        """Minimise cross-entropy, weighted by class, or the squared error of one answer."""
        generator = torch.Generator().manual_seed(self.random_state)
        self.layers_ = _perceptron([z.shape[1], *self.hidden, answers], generator).to(self.device)
        batch = min(BATCHES[1], max(BATCHES[0], 2 ** int(math.log2(max(1, len(z) / 60)))))
        each = math.ceil(len(z) / batch)
        epochs = min(EPOCHS[1], max(EPOCHS[0], STEPS // each))
        decay = self.decay * min(1.0, MANY / len(z)) ** 2
        optimizer = torch.optim.AdamW(self.layers_.parameters(), weight_decay=decay, fused=True)
        held = torch.from_numpy(np.array(z)).to(self.device) if z.size <= HELD or self.device != "cpu" else None
        v, weight = v.to(self.device), None if weight is None else weight.to(self.device)
        batches = _batches(len(z), batch, epochs, generator)
        given = ((rows, held[rows.to(self.device)]) for rows in batches) if held is not None else _read(z, batches)
        for step, (rows, x) in enumerate(given):
            optimizer.param_groups[0]["lr"] = _rate(step / (epochs * each))
            said, wanted = self.layers_(x), v[rows.to(self.device)]
            loss = (
                functional.mse_loss(said[:, 0], wanted)
                if weight is None
                else functional.cross_entropy(said, wanted, weight=weight)
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def _answered(self, z: Matrix) -> Tensor:
        with torch.inference_mode():
            parts = [self.layers_(torch.from_numpy(np.array(one)).to(self.device)).cpu() for one in blocks(z, BLOCK)]
        return torch.cat(parts)


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """Read classes."""

    class_weight = "balanced"

    def fit(self, z: Matrix, v: Labels) -> Self:
        """Learn classes 0 … k − 1, (n,), from features, (n, d), in single precision."""
        counts = np.bincount(v)
        self.classes_ = np.arange(len(counts))
        weight = torch.from_numpy(len(v) / (len(counts) * np.maximum(counts, 1))).float()
        self._learn(z, torch.from_numpy(np.asarray(v, dtype=np.int64)), len(counts), weight)
        return self

    def predict_proba(self, z: Matrix) -> NDArray[np.float32]:
        """Return the probability of each class, (n, k), were they equally frequent."""
        return np.asarray(self._answered(z).softmax(dim=1).numpy())

    def predict(self, z: Matrix) -> Labels:
        """Return the class that is likeliest, (n,)."""
        return np.asarray(self._answered(z).argmax(dim=1).numpy())


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """Read a quantity."""

    def fit(self, z: Matrix, v: Labels) -> Self:
        """Learn numbers of about unit variance, (n,), from features, (n, d), in single precision."""
        self._learn(z, torch.from_numpy(np.asarray(v, dtype=np.float32)), 1, None)
        return self

    def predict(self, z: Matrix) -> Doubles:
        """Return a number for each row, (n,)."""
        return self._answered(z)[:, 0].numpy().astype(np.float64)


def _batches(n: int, size: int, epochs: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the rows of each step, in order within it: neighbours lie on one page of a file."""
    for _ in range(epochs):
        for rows in torch.split(torch.randperm(n, generator=generator), size):
            yield rows.sort().values


def _read(z: Matrix, batches: Iterator[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows of each step with their features, (b, d); those of many steps are read at once, page by page."""
    first = next(batches)
    at_once = max(1, READ // (len(first) * z.shape[1]))
    batches = chain([first], batches)
    while some := [*islice(batches, at_once)]:
        rows = torch.cat(some)
        order = rows.argsort()
        x = torch.from_numpy(in_memory(z, rows[order].numpy()))[order.argsort()]
        yield from zip(some, torch.split(x, [len(one) for one in some]), strict=True)


def _rate(done: float) -> float:
    """Return the learning rate when a share of the steps is done: up for the first tenth, then down by a cosine."""
    return LEARNING_RATE * (0.1 + 9 * done if done < WARM else (1 + math.cos(math.pi * (done - WARM) / (1 - WARM))) / 2)


def _perceptron(widths: list[int], generator: torch.Generator) -> nn.Sequential:
    """Return linear layers with a rectifier between them, drawn from the generator."""
    layers: list[nn.Module] = []
    for given, made in pairwise(widths):
        linear = nn.Linear(given, made, device="meta").to_empty(device="cpu")  # no draw from the common generator
        reach = 1 / math.sqrt(given)
        for parameter in linear.parameters():
            nn.init.uniform_(parameter, -reach, reach, generator=generator)
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])

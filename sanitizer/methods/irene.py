"""IRENE: minimise the mutual information between v and what a head reads of it.

Tartaglione, Information Removal at the bottleneck in Deep Neural Networks, BMVC 2022. One head per
attribute learns to read v; the encoder minimises the information in the head's prediction. In the
paper the head is one linear layer and takes one step an iteration.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from sanitizer.information import mutual_information

HIDDEN = 256


@dataclass(frozen=True)
class Irene:
    """Settings of IRENE."""

    weight: float = 0.5
    """The paper's gamma."""
    head: Literal["linear", "mlp"] = "linear"
    inner_steps: int = 1
    """Steps of the head for each step of the encoder."""
    head_lr: float = 0.1
    """Constant, SGD with momentum .9."""

    def start(self, width: int, classes: int) -> "IreneRemoval":
        """Make an untrained head."""
        head = nn.Linear(width, classes) if self.head == "linear" else _mlp(width, classes)
        return IreneRemoval(head, self)


class IreneRemoval:
    """A head and its optimizer; the information term's gradient never reaches the head."""

    def __init__(self, head: nn.Module, settings: Irene) -> None:
        self.head = head
        self._optimizer = torch.optim.SGD(head.parameters(), lr=settings.head_lr, momentum=0.9)
        self._steps = settings.inner_steps

    def penalty(self, z: Tensor, v: Tensor) -> Tensor:
        """Return I(v; H(z)) with H held fixed: as a constant, it gets no gradient at all."""
        fixed = {name: parameter.detach() for name, parameter in self.head.named_parameters()}
        scores: Tensor = functional_call(self.head, fixed, (z,))
        return mutual_information(scores.float().softmax(dim=1), v)

    def learn(self, z: Tensor, v: Tensor) -> None:
        """Step the head on its own cross-entropy."""
        for _ in range(self._steps):
            self._optimizer.zero_grad()
            functional.cross_entropy(self.head(z.detach()), v).backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()

    def scores(self, z: Tensor) -> Tensor:
        """Return the head's logits, (n, k)."""
        logits: Tensor = self.head(z)
        return logits


def _mlp(width: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))

"""IRENE: minimise the mutual information between v and the prediction of a training adversary.

Tartaglione, Information Removal at the bottleneck in Deep Neural Networks, BMVC 2022. One head per attribute
learns to predict v; the encoder minimises the information in the head's prediction. In the paper the head is one
linear layer, takes one step an iteration, and the information is marginal. The conditional form minimises
I(v̂; v | y) instead, which allows the leakage of the task's label itself.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from sanitizer.information import by_class, mutual_information
from sanitizer.methods.base import ANY_TASK, Batch, Optimized, Setting, Terms
from sanitizer.methods.heads import Head, held_fixed, make_head

DESCRIPTION = "minimises the mutual information between the attribute and what a head in the loop reads of it"
CARD = MethodCard(description=DESCRIPTION, mark="^", light="#a3410b", dark="#f0a276")


@dataclass(frozen=True)
class Irene:
    """Settings of IRENE."""

    tasks: ClassVar = ANY_TASK
    weight: float = 0.5
    """The paper's gamma."""
    head: Head = "linear"
    inner_steps: int = 1
    """Steps of the head for each step of the encoder."""
    head_lr: float = 0.1
    """Constant, SGD with momentum .9."""
    conditional: bool = False
    """Within each class of the task, for attributes that the task is naturally correlated with."""

    def start(self, setting: Setting) -> "IreneObjective":
        """Make an untrained head for each attribute."""
        heads = {name: make_head(self.head, setting.width, k) for name, k in setting.classes.items()}
        return IreneObjective(heads, self)


class IreneObjective(Optimized):
    """The heads; the information term's gradient never reaches them."""

    def __init__(self, heads: dict[str, nn.Module], settings: Irene) -> None:
        super().__init__()
        self._places = {name: place for place, name in enumerate(heads)}
        self.heads = nn.ModuleList(heads.values())
        self.optimizer = torch.optim.SGD(self.heads.parameters(), lr=settings.head_lr, momentum=0.9)
        self._settings = settings

    def terms(self, batch: Batch) -> Terms:
        """Return the task's loss and I(v; H(z)) with H held fixed."""
        leakage, strata = {}, batch.y if self._settings.conditional else None
        for name, place in self._places.items():
            p = held_fixed(self.heads[place], batch.z).softmax(dim=1)
            leakage[name] = by_class(mutual_information, p, batch.v[name], strata)
        return Terms(batch.task_loss, leakage)

    def learn(self, batch: Batch) -> None:
        """Step the heads on their own cross-entropy."""
        for _ in range(self._settings.inner_steps):
            losses = [functional.cross_entropy(self.says(batch.z, name), batch.v[name]) for name in self._places]
            self.step(torch.stack(losses).sum())

    def says(self, z: Tensor, attribute: str) -> Tensor:
        """Return the head's logits, (n, k)."""
        logits: Tensor = self.heads[self._places[attribute]](z)
        return logits

"""IRENE: minimise the mutual information between v and the prediction of a training adversary.

Tartaglione, Information Removal at the bottleneck in Deep Neural Networks, BMVC 2022. One head per attribute
learns to predict v; the encoder minimises the information in the head's prediction. In the paper the head is one
linear layer, takes one step an iteration, and the information is marginal. The conditional form minimises
I(v̂; v | y) instead, which allows the leakage of the task's label itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from audit.evidence.method_card import MethodCard
from sanitizer.information import by_class, mutual_information
from sanitizer.methods.base import Batch, Optimized, Setting, Terms
from sanitizer.methods.heads import Head, make_head

CARD = MethodCard(
    description="minimises the mutual information between the attribute and what a head in the loop reads of it",
    mark="^",
    light="#a3410b",
    dark="#f0a276",
)


@dataclass(frozen=True)
class Irene:
    """Settings of IRENE."""

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
        """Return the task's loss and I(v; H(z)) with H held fixed: as a constant, it gets no gradient at all."""
        leakage = {}
        for name, place in self._places.items():
            head, v = self.heads[place], batch.v[name]
            fixed = {part: parameter.detach() for part, parameter in head.named_parameters()}
            p = functional_call(head, fixed, (batch.z,)).softmax(dim=1)
            leakage[name] = (
                by_class(mutual_information, p, v, batch.y) if self._settings.conditional else mutual_information(p, v)
            )
        return Terms(functional.cross_entropy(batch.scores, batch.y), leakage)

    def learn(self, batch: Batch) -> None:
        """Step the heads on their own cross-entropy."""
        for _ in range(self._settings.inner_steps):
            self.optimizer.zero_grad()
            losses = [
                functional.cross_entropy(self.heads[place](batch.z), batch.v[name])
                for name, place in self._places.items()
            ]
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def says(self, z: Tensor, attribute: str) -> Tensor:
        """Return the head's logits, (n, k)."""
        logits: Tensor = self.heads[self._places[attribute]](z)
        return logits

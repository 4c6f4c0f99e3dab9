"""A teacher that sees the input: a copy of the encoder, fine-tuned to an attribute with a fresh linear head."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.errors import DataError, TrainingError
from sanitizer.job import TrainingJob
from sanitizer.methods.base import Batch, Optimized, Setting, Terms
from sanitizer.training.forward import ForwardPass
from sanitizer.training.loop import fine_tune

BATCH, FEWEST_ROWS = 64, 160
STEPS = 400
"""Steps, at least; and at least FEWEST epochs."""
FEWEST = 5
RATE = 1e-2
"""Of the head; the encoder has the recipe's."""


@dataclass(frozen=True)
class Teach:
    """Trains the encoder to tell the retained attribute: the opposite of a removal, by the same loop."""

    head: nn.Linear
    weight: float = 0.0

    def start(self, setting: Setting) -> "TeachObjective":
        """Begin with the head as it is."""
        return TeachObjective(self.head, next(iter(setting.keep)))


class TeachObjective(Optimized):
    """The head in training."""

    def __init__(self, head: nn.Linear, name: str) -> None:
        super().__init__()
        self.head, self._name = head, name
        self.optimizer = torch.optim.Adam(head.parameters(), RATE)

    def terms(self, batch: Batch) -> Terms:
        """Return the cross-entropy of the attribute; the recipe of `taught_network` weighs the task's loss with 0."""
        return Terms(batch.task_loss, {}, self._loss(batch))

    def learn(self, batch: Batch) -> None:
        """Step the head."""
        self.step(self._loss(batch))

    def _loss(self, batch: Batch) -> Tensor:
        scores, v = self.head(batch.z), batch.v[self._name]
        counts = torch.bincount(v, minlength=scores.shape[1]).clamp_min(1).float()
        return functional.cross_entropy(scores, v, weight=len(v) / (len(counts) * counts))  # all classes count alike


def tell(
    model: nn.Module, job: TrainingJob, name: str, fit: LabelledData, asked: Sequence[LabelledData]
) -> list[Ints] | str:
    """Return the classes of an attribute that a fine-tuned copy of the model gives rows, (m,) each.

    Args:
        model: Stays as it is.
        job: Whose layer, recipe, device, …
        name: The attribute.
        fit: Rows that it learns from, with their labels.
        asked: Other rows, with the columns of the job.

    Returns why there are none, in words, for a model that has no weights, too few rows, or where training diverged.
    """
    if not any(one.is_floating_point() for one in model.parameters()):
        return "there is no encoder to fine-tune"
    if len(fit) < FEWEST_ROWS:
        return f"{len(fit)} rows are too few to fine-tune the encoder"
    copy, k = deepcopy(model), len(fit.column(name, "private").classes)
    width = ForwardPass.of(copy, job, job.device).run(fit.limited(2, seed=0)).z.shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(job.recipe.seed)
        head = nn.Linear(width, k).to(job.device)
    recipe = replace(
        job.recipe,
        epochs=max(FEWEST, -(-STEPS * BATCH // len(fit))),
        batch_size=BATCH,
        alpha=0.0,
        patience=0,
        freeze=(),
    )
    own = replace(job, data=fit, private=(), keep=[name], keep_identity=None, method=Teach(head), recipe=recipe)
    try:
        fine_tune(copy, own)
        forward = ForwardPass.of(copy, own, job.device)
        with torch.no_grad():
            return [head(forward.run(one).z).argmax(dim=1).cpu().numpy().astype(np.int64) for one in asked]
    except (TrainingError, DataError) as error:
        return f"the encoder was not fine-tuned: {str(error).rstrip('.')}"

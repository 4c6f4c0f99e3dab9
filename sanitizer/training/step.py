"""The steps of one epoch, in one process or in several that share each batch.

Each of several processes gathers the features of the whole batch, with their gradients, and computes the loss of the
whole batch from them: information terms are no means over rows and cannot be averaged over processes.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.data.model_input import ModelInput, each, to
from audit.errors import TrainingError
from audit.parallel.ranks import process_count
from sanitizer.job import Recipe
from sanitizer.methods.base import Batch, Objective, Terms
from sanitizer.training.batches import batches
from sanitizer.training.forward import ForwardPass
from sanitizer.training.geometry import KEPT, Kept
from sanitizer.training.reweighting import Doubles, draw
from sanitizer.training.schedule import Schedule

AS_IT_IS = "A release of the model as it is takes --epochs 0 and --method codebook, pairs, map, rich or leace."


@dataclass(frozen=True)
class TrainingStep:
    """One step of training: forward pass, losses, gradients, and the steps of all optimizers."""

    fabric: Fabric
    forward: ForwardPass
    wrapped: Any
    """The model as Fabric runs it."""
    objective: Objective
    optimizer: Any
    schedule: Schedule
    recipe: Recipe
    weight: float
    """Of the removal terms."""
    kept: Kept | None = None
    """What takes the place of the task's loss where there is no task."""

    def epoch(
        self, data: LabelledData, columns: Sequence[str], epoch: int, probabilities: Doubles | None = None
    ) -> dict[str, float]:
        """Take every step of one epoch, from 0, and return the mean of each term.

        Rows are drawn by their sampling probabilities, (n,), or without any, each once. A term that becomes NaN or
        infinite is a TrainingError.
        """
        torch.manual_seed(self.recipe.seed + 1_000_003 * (epoch + 1))  # an epoch that is resumed begins as it did
        size = self.recipe.batch_size
        if probabilities is None:
            order = torch.randperm(len(data), device="cpu").numpy()
        else:
            order = draw(probabilities, seed=self.recipe.seed, turn=epoch + 1)
        steps = len(data) // size  # a last small batch would weigh its rows more, and starve a kernel
        world, rank = self.fabric.world_size, self.fabric.global_rank
        own = [np.array_split(order[step * size : (step + 1) * size], world)[rank] for step in range(steps)]
        losses = []
        with self.forward.tapped() as taps:
            for step, (inputs, labels) in enumerate(batches(data, columns, own, workers=self.recipe.workers)):
                x = to(inputs, self.fabric.device)
                scores = self.forward.scores(x, self.wrapped)
                progress = (epoch + step / steps) / self.recipe.epochs
                batch = self._batch(x, scores, self.forward.features(taps), labels, own[step])
                losses.append(self._step(replace(batch, progress=progress)))
        return {name: float(np.mean([one[name] for one in losses])) for name in losses[0]}

    def _batch(
        self, x: ModelInput, scores: Tensor, features: tuple[Tensor, Tensor], labels: Mapping[str, Tensor], rows: Ints
    ) -> Batch:
        """Return the batch of all processes, of the first step."""
        every, device = self._gathered, self.fabric.device
        before, z = (every(part) for part in features)
        v = {name: every(codes.to(device)) for name, codes in labels.items()}
        gathered, places = every(scores), every(torch.as_tensor(rows, device=device))
        y = self.forward.labels(v, len(z))
        batch = Batch(before, z, gathered, y, v, places, lambda: each(every, x), progress=0.0)
        return replace(batch, wanted=self.forward.aim.wanted(v), is_ordinal=self.forward.aim.is_ordinal)

    def _gathered(self, part: Tensor) -> Tensor:
        """Return the rows of all processes, with their gradients."""
        if self.fabric.world_size == 1:
            return part
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Fabric's own call is one that torch will rename
            gathered = cast(Tensor, self.fabric.all_gather(part, sync_grads=part.requires_grad))
        return gathered.flatten(0, 1)

    def _step(self, batch: Batch) -> dict[str, float]:
        terms = self.objective.terms(batch)
        if self.kept is not None:
            terms = replace(terms, task=self.kept.loss(batch))
        values = _finite(terms, self.forward.task or KEPT)
        weighted = [self.recipe.alpha * terms.task, *(self.weight * term for term in terms.removal.values())]
        total = torch.stack([*weighted, *([] if terms.other is None else [terms.other])]).sum()
        if not total.requires_grad:
            raise TrainingError(
                "Nothing is left to train: all weights that the loss depends on are frozen. Leave a module out of "
                f"--freeze. {AS_IT_IS}"
            )
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        self.objective.learn(batch.cut_off())
        self.optimizer.step()
        self.schedule.step()
        return values


def make_fabric(device: torch.device, recipe: Recipe) -> Fabric:
    """Return the Fabric that places and wraps a model: on one device, or one for each process that torchrun started."""
    processes = process_count()
    here = process_count("LOCAL_WORLD_SIZE", processes)
    if recipe.batch_size % processes:
        raise TrainingError(
            f"A batch of {recipe.batch_size} rows cannot be shared evenly among {processes} processes. "
            f"Give a --batch-size that {processes} divides."
        )
    fabric = Fabric(
        accelerator=device.type,
        devices=here if processes > 1 else [device.index or 0] if device.type == "cuda" else 1,
        num_nodes=max(1, processes // here),
        strategy="ddp" if processes > 1 else "auto",
        precision=recipe.precision,
    )
    fabric.launch()
    return fabric


def _finite(terms: Terms, task: str) -> dict[str, float]:
    named = {task: terms.task, **terms.removal, **({"": terms.other} if terms.other is not None else {})}
    values = {name: float(term.detach()) for name, term in named.items()}
    for name, value in values.items():
        if not np.isfinite(value):
            own = {task: "the task's loss", KEPT: f"the loss of {KEPT}", "": "the method's own term"}
            what = own.get(name, f"the removal term of {name!r}")
            raise TrainingError(f"Fine-tuning diverged: {what} is {value}. Try a smaller --lr or --weight.")
    return values

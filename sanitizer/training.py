"""The fine-tuning loop: the task's loss, plus what each removal method adds for its attribute."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from lightning_fabric import Fabric
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupShuffleSplit
from torch import Tensor, nn
from torch.nn import functional

from audit.bottleneck import Pool, evaluating, tap
from audit.data import LabelledData, batches
from audit.errors import DataError, TrainingError
from audit.evidence import Epoch
from audit.features import Track, class_scores, untracked
from sanitizer.methods.removal import Method, Removal

HELD_OUT = 0.1
"""Share of the training groups that only check the head."""


@dataclass(frozen=True)
class Recipe:
    """How the encoder is trained, whatever the method."""

    epochs: int = 30
    batch_size: int = 512
    optimizer: Literal["adam", "sgd"] = "adam"
    lr: float = 1e-3
    """Falls to 0 along a cosine; sgd has momentum .9."""
    weight_decay: float = 1e-4
    alpha: float = 1.0
    """Weight of the task's loss."""
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What the loop saw."""

    trace: list[Epoch]
    head_accuracy: dict[str, float | None]
    """Balanced accuracy of each method's own head on held-out rows; None where it has no head."""
    head_rows: int


def fine_tune(
    model: nn.Module,
    data: LabelledData,
    *,
    task: str,
    methods: Mapping[str, Method],
    layer: str,
    recipe: Recipe,
    pool: Pool = "mean",
    device: torch.device | None = None,
    track: Track = untracked,
) -> Outcome:
    """Train a model in place on its task while each method removes its attribute from a layer.

    One forward pass an iteration; all gradients are taken at the parameters before the step, and model and
    heads step in the same iteration.

    Args:
        model: Scores the task's classes, (n, k).
        data: Rows that no attacker will be judged on.
        task: Column that the model predicts.
        methods: Method for each private column; none at all trains on the task alone.
        layer: The bottleneck, as in audit.bottleneck.
        recipe: Epochs, batch, optimizer, seed.
        pool: How maps and tokens become one vector a row.
        device: Where to train; the CPU if not given.
        track: Shows progress over the epochs.

    Raises:
        TrainingError: A loss became NaN or infinite.
        DataError: There are too few rows for one batch, or the model does not fit the task.
    """
    device = device or torch.device("cpu")
    columns = [task, *methods]
    classes = {name: len(data.column(name, "labelled").classes) for name in columns}
    fit, held_out = hold_out(data, recipe)
    fabric = Fabric(accelerator=device.type, devices=[device.index or 0] if device.type == "cuda" else 1)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        tap(model, [layer], pool=pool) as taps,
    ):
        torch.manual_seed(recipe.seed)
        generator = torch.Generator().manual_seed(recipe.seed)
        optimizer = _optimizer(model, recipe)
        wrapped, optimizer = fabric.setup(model, optimizer)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, max(1, recipe.epochs * (len(fit) // recipe.batch_size))
        )
        removals: dict[str, Removal] = {}

        def look(x: Tensor) -> tuple[Tensor, Tensor]:
            scores = class_scores(wrapped(x.to(fabric.device)), classes[task], task)
            return scores, taps.take()[layer]

        with evaluating(model), torch.no_grad():
            width = look(fit.inputs[0].unsqueeze(0))[1].shape[1]
        with torch.device(fabric.device):
            removals = {name: method.start(width, classes[name]) for name, method in methods.items()}

        def iterate() -> Epoch:
            losses: list[dict[str, float]] = []
            for x, labels in batches(fit, columns, size=recipe.batch_size, generator=generator):
                if len(x) < recipe.batch_size:
                    continue  # a last small batch would weigh its rows more, and starve a kernel
                scores, z = look(x)
                told = {name: values.to(fabric.device) for name, values in labels.items()}
                terms = {task: functional.cross_entropy(scores.float(), told[task])}
                terms |= {name: removal.penalty(z, told[name]) for name, removal in removals.items()}
                losses.append(_finite(terms, task))
                weighted = [methods[name].weight * terms[name] for name in removals]
                optimizer.zero_grad()
                fabric.backward(torch.stack([recipe.alpha * terms[task], *weighted]).sum())
                for name, removal in removals.items():
                    removal.learn(z.detach(), told[name])
                optimizer.step()
                schedule.step()
            mean = {name: float(np.mean([one[name] for one in losses])) for name in columns}
            return Epoch(task_loss=mean[task], penalty={name: mean[name] for name in methods})

        trace = []
        modes = {module: module.training for module in model.modules()}
        try:
            model.train()
            for _ in track(range(recipe.epochs), recipe.epochs, "epochs"):
                trace.append(iterate())
        finally:
            for module, mode in modes.items():
                module.training = mode
        heads = {name: _head_accuracy(model, held_out, name, removal, look) for name, removal in removals.items()}
    return Outcome(trace, heads, len(held_out))


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if recipe.optimizer == "adam":
        return torch.optim.AdamW(free, lr=recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(free, lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)


def hold_out(data: LabelledData, recipe: Recipe) -> tuple[LabelledData, LabelledData]:
    """Return the rows that train and the rows that check the head, whole groups each.

    Raises:
        DataError: The rows that train do not fill one batch.
    """
    folder = GroupShuffleSplit(1, test_size=HELD_OUT, random_state=recipe.seed)
    fit, held_out = next(folder.split(np.arange(len(data)), groups=data.groups()))
    if len(fit) < recipe.batch_size:
        raise DataError(
            f"{len(fit)} training rows do not fill one batch of {recipe.batch_size}. "
            "Give more rows or a smaller --batch-size."
        )
    return data.take(fit), data.take(held_out)


def _finite(terms: Mapping[str, Tensor], task: str) -> dict[str, float]:
    values = {name: float(term.detach()) for name, term in terms.items()}
    for name, value in values.items():
        if not np.isfinite(value):
            what = "the task's loss" if name == task else f"the removal term of {name!r}"
            raise TrainingError(
                f"Fine-tuning diverged: {what} is {value}. Nothing was written; try a smaller --lr or --weight."
            )
    return values


def _head_accuracy(
    model: nn.Module,
    data: LabelledData,
    attribute: str,
    removal: Removal,
    look: Callable[[Tensor], tuple[Tensor, Tensor]],
) -> float | None:
    said: list[Tensor] = []
    told: list[Tensor] = []
    with evaluating(model), torch.no_grad():
        for x, labels in batches(data, [attribute], size=256):
            scores = removal.scores(look(x)[1])
            if scores is None:
                return None
            said.append(scores.argmax(dim=1).cpu())
            told.append(labels[attribute])
    return float(balanced_accuracy_score(torch.cat(told), torch.cat(said)))

"""The fine-tuning loop: a method's own loss, on one device or in several processes, stopped and resumed at will."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audit.data.labelled import LabelledData
from audit.errors import DataError, UnknownNameError
from audit.evidence.audit_result import Epoch
from audit.model.layers import Pool
from audit.model.release import NAME, install, remove
from audit.progress import Track, untracked
from sanitizer.methods.base import Method, Setting
from sanitizer.methods.plain import Plain
from sanitizer.training.augmentation import augmented
from sanitizer.training.forward import Eye
from sanitizer.training.model_selection import check, head_accuracy, hold_out
from sanitizer.training.resume import Best, Kept
from sanitizer.training.reweighting import Doubles, drawn, require_every_cell, reweighed, taken, worth
from sanitizer.training.step import Recipe, Steps, make_fabric

PREVIEW = 2000
"""Training rows, at most, that a code or an eraser is fitted on for an epoch's check."""


@dataclass(frozen=True)
class Outcome:
    """What the loop saw."""

    trace: list[Epoch]
    chosen: int | None
    """Which epoch the weights are of, from 0; None where there was none."""
    head_accuracy: dict[str, float | None]
    """Balanced accuracy of the method's own head on held-out rows; None where it has no head."""
    head_rows: int


def fine_tune(
    model: nn.Module,
    data: LabelledData,
    *,
    task: str,
    layer: str,
    recipe: Recipe,
    private: Sequence[str] = (),
    keep: Sequence[str] = (),
    method: Method | None = None,
    pool: Pool = "mean",
    device: torch.device | None = None,
    kept: Kept | None = None,
    track: Track = untracked,
) -> Outcome:
    """Train a model in place on its task while a method removes attributes from a layer.

    One forward pass a step; all gradients are taken at the parameters before the step. Each epoch ends with a
    fresh audit on held-out rows, and the weights of the best epoch are what remains: the task first, then the leak
    and what is kept, all beyond the noise of so few rows, and of those that are as good the last. What a method
    leaves at the bottleneck stands there afterwards (audit.released).

    Args:
        model: Scores the task's classes, (n, k).
        data: Rows that no attacker will be judged on.
        task: Column that the model predicts.
        layer: The bottleneck, as in audit.model.layers.
        recipe: Epochs, batch, optimizer, seed.
        private: Columns to remove; none at all trains on the task alone, to the last epoch.
        keep: Columns to keep readable, for methods that can.
        method: What removes them; the task alone if not given.
        pool: How maps and tokens become one vector a row.
        device: Where to train; the CPU if not given.
        kept: Where the state after each epoch is kept, and taken from.
        track: Shows progress over the epochs.

    Raises:
        TrainingError: A loss became NaN or infinite.
        DataError: There are too few rows for one batch, or the model does not fit the task.
    """
    method = method or Plain()
    columns = list(dict.fromkeys([task, *private, *keep]))
    classes = {name: len(data.column(name, "labelled").classes) for name in columns}
    parts = _part(data, task, private, recipe)
    fit, held_out = parts.fit, parts.held_out
    steps = len(fit) // recipe.batch_size
    if not steps:
        raise DataError(
            f"{len(fit)} training rows do not fill one batch of {recipe.batch_size}. "
            "Give more rows or a smaller --batch-size."
        )
    fabric = make_fabric(device or torch.device("cpu"), recipe)
    on = fabric.device
    model.to(on)
    eye = Eye(model, layer, pool, task, classes, on)
    with (
        torch.random.fork_rng(devices=[on] if on.type == "cuda" else []),
        _training(model, recipe.freeze),
        torch.device(on),
    ):
        torch.manual_seed(recipe.seed)
        setting = Setting(
            classes={name: classes[name] for name in private},
            keep={name: classes[name] for name in keep},
            task_classes=classes[task],
            x=fit.inputs[0].unsqueeze(0).to(on),
            look=lambda: eye.see(parts.looked_at),
            batches=lambda: eye.inputs(parts.looked_at, recipe.batch_size),
            train_rows=len(fit),
            width=eye.see(fit.limited(2, seed=0)).z.shape[1],
        )
        objective = method.start(setting).to(on)
        with _standing(model, layer, objective.release):
            optimizer = _optimizer(model, recipe)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, recipe.epochs * steps))
            wrapped, stepped = fabric.setup(model, optimizer)
            run = Steps(fabric, eye, wrapped, objective, stepped, schedule, recipe, method.weight)
            state: dict[str, Any] = {
                "model": model,
                "objective": objective,
                "optimizer": optimizer,
                "schedule": schedule,
                "precision": fabric.strategy.precision,
            }
            trace, best = kept.restore(state) if kept else ([], None)
            sample = parts.looked_at.limited(PREVIEW, seed=recipe.seed)
            changing = augmented(fit, recipe.augment)
            for epoch in track(range(len(trace), recipe.epochs), recipe.epochs - len(trace), "epochs"):
                losses = run.epoch(changing, columns, epoch, parts.chances)
                with eye.as_released(objective, lambda: eye.see(sample)):
                    checked = check(eye.see(held_out), held_out, private, keep, seed=recipe.seed, worth=parts.worth)
                trace.append(
                    Epoch(
                        task_loss=losses[task],
                        penalty={name: losses[name] for name in private if name in losses},
                        task_accuracy=checked.task,
                        fresh=dict(checked.fresh),
                        kept=dict(checked.kept),
                    )
                )
                if best is None or not private or checked.better_than(best.checked):
                    best = Best(checked, epoch, epoch, deepcopy(model.state_dict()), deepcopy(objective.state_dict()))
                elif not best.checked.better_than(checked):  # as good: the later one, and no drift from what is best
                    states = deepcopy(model.state_dict()), deepcopy(objective.state_dict())
                    best = Best(best.checked, best.since, epoch, *states)
                if kept is not None and fabric.is_global_zero:
                    kept.save(state, trace, best)
                if recipe.patience and epoch - best.since >= recipe.patience:
                    break
            if best is not None:
                model.load_state_dict(best.model)
                objective.load_state_dict(best.objective)
            last = objective.finished(setting.look)
        if last is not None:
            install(model, layer, last)
        seen = eye.see(held_out)
        heads = {name: head_accuracy(objective.says(seen.z, name), seen.v[name]) for name in private}
    if last is not None:
        model.get_submodule(NAME).train(model.training)
    return Outcome(trace, best.epoch if best else None, heads, len(held_out))


@dataclass(frozen=True)
class _Parts:
    """The rows of a run."""

    fit: LabelledData
    """Those that train."""
    chances: Doubles | None
    """Of each of them to be drawn, (n,); None if each is taken once an epoch."""
    looked_at: LabelledData
    """What a method that looks at all training rows is shown: they, or as many drawn from them."""
    held_out: LabelledData
    """Those that choose the epoch."""
    worth: float
    """How many independent rows tell as surely as those, as a share of them."""


def _part(data: LabelledData, task: str, private: Sequence[str], recipe: Recipe) -> _Parts:
    fit, held_out = hold_out(data, recipe.seed)
    if not (recipe.reweigh and private):
        return _Parts(fit, None, fit, held_out, 1.0)
    require_every_cell(fit, task, private)
    chances, held_by = (reweighed(part, task, private) for part in (fit, held_out))
    shown, choosing = (taken(part, drawn(by, seed=recipe.seed)) for part, by in ((fit, chances), (held_out, held_by)))
    return _Parts(fit, chances, shown, choosing, worth(held_by))


@contextmanager
def _standing(model: nn.Module, layer: str, release: nn.Module | None) -> Iterator[None]:
    """Let a method's own layer stand at the bottleneck for a block."""
    if release is None:
        yield
        return
    install(model, layer, release)
    try:
        yield
    finally:
        remove(model)


@contextmanager
def _training(model: nn.Module, freeze: Sequence[str]) -> Iterator[None]:
    """Put a model in train mode, but for what is frozen, and everything back as it was after the block."""
    modules = dict(model.named_modules())
    for name in freeze:
        if name not in modules or not name:
            raise UnknownNameError("module", name, [known for known in modules if known])
    modes = {module: module.training for module in modules.values()}
    free = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        model.train()
        for name in freeze:
            modules[name].eval().requires_grad_(False)
        for module in modules.values():
            own = list(module.parameters(recurse=False))
            if isinstance(module, _BatchNorm) and own and not any(parameter.requires_grad for parameter in own):
                module.eval()  # frozen weights go with frozen statistics
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for parameter, required in free.items():
            parameter.requires_grad_(required)


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    free = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if recipe.optimizer == "adam":
        return torch.optim.AdamW(free, lr=recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(free, lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)

"""The fine-tuning loop: a method's own loss, on one device or in several processes, stopped and resumed at will."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audit.data.labelled import LabelledData
from audit.data.model_input import each, one_row, to
from audit.errors import TrainingError, UnknownNameError
from audit.evidence.audit_result import Epoch
from audit.model.release import NAME, install
from audit.progress import Track, untracked
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Objective, Setting
from sanitizer.training.batches import augmented
from sanitizer.training.forward import ForwardPass
from sanitizer.training.geometry import KEPT, Kept
from sanitizer.training.model_selection import HeldOutMetrics, check, head_accuracy
from sanitizer.training.resume import BestEpoch, ResumeFile, Stateful
from sanitizer.training.rows import TrainingRows
from sanitizer.training.schedule import Schedule
from sanitizer.training.step import TrainingStep, make_fabric

PREVIEW = 2000
"""Training rows, at most, that a release module is fitted on for an epoch's check."""


@dataclass(frozen=True)
class Outcome:
    """The record of one fine-tuning."""

    trace: list[Epoch]
    chosen: int | None
    """Which epoch the weights are of, from 0; None where there was none."""
    head_accuracy: dict[str, float | None]
    """Balanced accuracy of the method's training adversary on held-out rows; None where it has none."""
    head_rows: int


def fine_tune(
    model: nn.Module, job: TrainingJob, *, resume_file: ResumeFile | None = None, track: Track = untracked
) -> Outcome:
    """Train a model in place on its task while a method removes attributes from a layer.

    One forward pass a step; all gradients are taken at the parameters before the step. Each epoch ends with a
    fresh audit on held-out rows, and the weights of the best epoch are the result: the task first, then leakage and
    retained attributes, all beyond the noise of so few rows, and of those that are as good the last; or, if the recipe
    says so, none is audited and the last is the result. Without a task,
    the geometry of the untouched model stands in for it (sanitizer.training.geometry), and the choice is by leakage
    within the tolerance first. A method's
    release module stays installed at the bottleneck (audit.model.release). The state after each epoch goes to the
    resume file, if there is one.

    Raises:
        TrainingError: A loss became NaN or infinite, or the method found no finite solution.
        DataError: There are too few rows for one batch, or the model does not fit the task.
    """
    try:
        return _fine_tune(model, job, resume_file, track)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        raise TrainingError("Fine-tuning diverged: the method found no finite solution.") from None


def _fine_tune(model: nn.Module, job: TrainingJob, resume_file: ResumeFile | None, track: Track) -> Outcome:
    if job.recipe.patience and job.recipe.choose == "last":
        raise TrainingError(
            "--patience counts epochs without a better one, and --choose last compares none. Leave one of them out."
        )
    rows = TrainingRows.of(job)
    fabric = make_fabric(job.device, job.recipe)
    device = fabric.device
    forked = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=forked):  # a loader draws a seed
        forward = ForwardPass.of(model.to(device), job, device)
    with (
        torch.random.fork_rng(devices=forked),
        _training(model, job.recipe.freeze),
        _on(device),
    ):
        torch.manual_seed(job.recipe.seed)
        kept = Kept.of(forward, job, rows.held_out) if job.task is None and job.recipe.epochs else None
        setting = _setting(job, rows, forward)
        objective = job.method.start(setting).to(device)
        with forward.releasing(objective.release):
            step, state = _prepared(job, len(rows.fit) // job.recipe.batch_size, fabric, forward, objective)
            step = replace(step, kept=kept)
            trace, best = _Run(job, rows, step, state, resume_file).epochs(track)
            if best is not None:
                best.restore(model, objective)
            last = objective.finished(setting.look)
        if last is not None:
            install(model, job.layer, last)
        seen = forward.run(rows.held_out)
        heads = {name: head_accuracy(objective.says(seen.z, name), seen.v[name]) for name in job.private}
    if last is not None:
        model.get_submodule(NAME).train(model.training)
    return Outcome(trace, best.epoch if best else None, heads, len(rows.held_out))


def _on(device: torch.device) -> AbstractContextManager[object]:
    """Make new tensors there; costs some Python in each call of torch, so that the CPU, the default, goes without."""
    return nullcontext() if device.type == "cpu" else device


def _setting(job: TrainingJob, rows: TrainingRows, forward: ForwardPass) -> Setting:
    """Return what the method starts from."""
    drawn = None if rows.drawn is None else torch.as_tensor(rows.drawn, device=forward.device)
    return Setting(
        classes={name: forward.classes[name] for name in job.private},
        keep={name: forward.classes[name] for name in job.keep},
        task_classes=forward.classes[job.task] if job.task else 1,
        x=to(each(lambda one: one.unsqueeze(0), one_row(rows.fit.inputs[0])), forward.device),
        look=lambda: replace(forward.run(rows.full), drawn=drawn),
        batches=lambda: forward.inputs(rows.full, job.recipe.batch_size),
        train_rows=len(rows.fit),
        width=forward.run(rows.fit.limited(2, seed=0)).z.shape[1],
    )


def _prepared(
    job: TrainingJob, steps: int, fabric: Fabric, forward: ForwardPass, objective: Objective
) -> tuple[TrainingStep, dict[str, Stateful]]:
    """Return the step, with an optimizer and a schedule of so many steps an epoch, and every part that has state."""
    optimizer = _optimizer(forward.model, job.recipe)
    schedule = Schedule(optimizer, job.recipe, steps)
    wrapped, stepped = fabric.setup(forward.model, optimizer)
    step = TrainingStep(fabric, forward, wrapped, objective, stepped, schedule, job.recipe, job.method.weight)
    return step, {
        "model": forward.model,
        "objective": objective,
        "optimizer": optimizer,
        "schedule": schedule,
        "precision": fabric.strategy.precision,
    }


@dataclass(frozen=True)
class _Run:
    """The epochs of one fine-tuning."""

    job: TrainingJob
    rows: TrainingRows
    step: TrainingStep
    state: Mapping[str, Stateful]
    resume_file: ResumeFile | None

    def epochs(self, track: Track) -> tuple[list[Epoch], BestEpoch | None]:
        """Train to the last epoch, or until patience ends; return all epochs and the best one, if there is any."""
        recipe = self.job.recipe
        trace, best = self.resume_file.restore(self.state) if self.resume_file else ([], None)
        sample = self.rows.full.limited(PREVIEW, seed=recipe.seed)
        changing = augmented(self.rows.fit, recipe.augment)
        ended = self.step.schedule.is_over or self._is_enough(best, len(trace))
        left = range(len(trace), len(trace) if ended else recipe.epochs)
        for epoch in track(left, len(left), "epochs"):
            losses = self.step.epoch(changing, self._columns, epoch, self.rows.probabilities)
            metrics = self._check(sample)
            self.step.schedule.epoch_ended(metrics.loss)
            trace.append(
                Epoch(
                    task_loss=losses[self.job.task or KEPT],
                    penalty={name: losses[name] for name in self.job.private if name in losses},
                    task_accuracy=metrics.task if self.job.task else None,
                    fresh=dict(metrics.fresh),
                    kept=dict(metrics.retained),
                    geometry=metrics.kept,
                )
            )
            best = self._better(best, metrics, epoch)
            if self.resume_file is not None and self.step.fabric.is_global_zero:
                self.resume_file.save(self.state, trace, best)
            if self.step.schedule.is_over or self._is_enough(best, len(trace)):
                break
        return trace, best

    @property
    def _columns(self) -> list[str]:
        """Columns whose labels go with a batch."""
        return [*self.step.forward.classes, *([self.job.keep_identity] if self.job.keep_identity else [])]

    def _is_enough(self, best: BestEpoch | None, done: int) -> bool:
        """Return whether so many epochs have gone by without a better one that training ends."""
        patience = self.job.recipe.patience
        return bool(patience) and best is not None and done - 1 - best.since >= patience

    def _check(self, sample: LabelledData) -> HeldOutMetrics:
        """Audit the model with the release module, fitted on a sample, that it would get if training ended now."""
        job, held_out, forward, objective = self.job, self.rows.held_out, self.step.forward, self.step.objective
        last = objective.finished(lambda: forward.run(sample)) if objective.release is None else None
        with forward.releasing(last):
            seen = forward.run(held_out)
        private, retained = ((), ()) if job.recipe.choose == "last" else (job.private, job.keep)
        share = self.rows.effective_share
        found = check(seen, held_out, private, retained, seed=job.recipe.seed, effective_share=share)
        if self.step.kept is None:
            return replace(found, loss=float(seen.task_loss))
        kept = self.step.kept.measured(seen.z)
        return replace(found, kept=kept, loss=-kept)

    def _better(self, best: BestEpoch | None, metrics: HeldOutMetrics, epoch: int) -> BestEpoch:
        """Return this epoch if it is better than the best so far, or as good: the later one, without a drift."""
        model, objective = self.step.forward.model, self.step.objective
        is_last = not self.job.private or self.job.recipe.choose == "last"
        if best is None or is_last or metrics.better_than(best.metrics):
            return BestEpoch.of(metrics, epoch, epoch, model, objective)
        if not best.metrics.better_than(metrics):  # compared with the best, not with the last that was as good
            return BestEpoch.of(best.metrics, best.since, epoch, model, objective)
        return best


@contextmanager
def _training(model: nn.Module, freeze: Sequence[str]) -> Iterator[None]:
    """Put a model in train mode, except for frozen modules, and everything back as it was after the block."""
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
    free = free or [nn.Parameter(torch.zeros(1))]  # a map alone is fitted, to what has no weights of its own
    if recipe.optimizer == "adam":
        return torch.optim.AdamW(free, lr=recipe.lr, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(free, lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)

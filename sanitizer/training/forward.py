"""The forward pass of a model in training: its bottleneck and its scores on some rows."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.labelled import LabelledData
from audit.data.model_input import ModelInput, rows_of, to
from audit.errors import TrainingError
from audit.model import release
from audit.model.forward import Encoder, run_model, sample_rows
from audit.model.layers import Taps, lay_out, tap
from audit.model.structure.call import call
from audit.model.structure.eval_mode import evaluating
from audit.model.structure.layout import Layout, Pooling
from audit.model.structure.outputs import picked
from audit.model.structure.padding import Ends
from audit.model.structure.scores import Scores, is_single, kind_of_scores, place_of_scores
from audit.model.trial_runs import require_alike, require_mask, require_own_answer, require_same_rows
from sanitizer.job import TrainingJob
from sanitizer.methods.base import Batch, Rows
from sanitizer.training.aim import Aim
from sanitizer.training.batches import batches, labels_of
from sanitizer.training.rows import ORIGIN, ORIGINS

BEFORE = f"{release.NAME}.map:input"
"""Layer name: representation before the release module."""
LARGEST = 1e15
"""Largest magnitude that can still be squared and summed in float32."""
AT_ONCE = 256
"""Rows of a pass that is not a training step."""


@dataclass(frozen=True)
class ForwardPass:
    """A model, the layer that is its bottleneck, and the columns whose labels go with its rows."""

    model: nn.Module
    layer: str
    task: str | None
    classes: Mapping[str, int]
    """Number of classes of every such column, the task among them."""
    device: torch.device
    pooling: Pooling = field(default_factory=Pooling)
    """How the values at the layer become one vector a row."""
    aim: Aim = field(default_factory=lambda: Aim(None))
    """What the model is to answer."""
    output: str | None = None
    """Which part of it holds the scores; None: all of it."""
    identity: str | None = None
    """Column of people who are to stay recognisable."""
    worth: Mapping[str, float] = field(default_factory=dict)
    """Of each private attribute, what a row is worth that a teacher labelled."""

    @staticmethod
    def of(model: nn.Module, job: TrainingJob, device: torch.device) -> "ForwardPass":
        """Look at a few rows to see what holds what; raise an IreneError if nothing tells, or nobody says."""
        few = to(sample_rows(job.data), device)
        output, answer = job.output, job.answer
        pooling, seen = lay_out(model, few, [job.layer], job.pool, output=output)
        if answer and not isinstance(seen.output, Tensor):
            output = place_of_scores(seen.output, answer, output)
            pooling, seen = lay_out(model, few, [job.layer], job.pool, output=output)
        pooling = pooling.told(job.padding, few)
        pooling.require_told(job.padding)
        pooling = require_alike(model, few, pooling, output=output)
        kind: Scores = "logits"
        if answer and answer.classes:
            many = None
            if answer.is_ordinal or is_single(seen.output):
                with evaluating(model), torch.no_grad():
                    made = call(model, to(sample_rows(job.data, AT_ONCE), device))
                    many = torch.as_tensor(picked(made, output))
            if not answer.is_ordinal:
                kind = kind_of_scores(seen, job.scores, None if many is None else many.reshape(-1), answer.task)
            elif (kind := answer.kind_of_thresholds(seen)) == "logits" and many is not None:
                answer.require_logits(float(many.min()), float(many.max()))
        aim = Aim.of(job, kind, device)
        worth = job.taught.worth if job.taught else {}
        of_rows = (pooling, aim, output, job.keep_identity, worth)
        return ForwardPass(model, job.layer, job.task, job.classes, device, *of_rows)

    def tapped(self) -> AbstractContextManager[Taps]:
        """Tap the bottleneck, before and behind a release module if there is one, for a block."""
        released = release.NAME in dict(self.model.named_children())
        if not released:
            return tap(self.model, [self.layer], self.pooling)
        layouts = {BEFORE: self.pooling.layouts.get(self.layer, Layout())} | dict(self.pooling.layouts)
        return tap(self.model, [self.layer, BEFORE], replace(self.pooling, layouts=layouts))

    def scores(self, x: ModelInput, wrapped: nn.Module | None = None) -> Tensor:
        """Run the model, or what wraps it, on a batch on its device; return the task's scores as of Aim, (n, k)."""
        made = call(wrapped or self.model, x, self.model)
        return self.aim.scores(picked(made, self.output) if self.task else made, rows_of(x), self.device)

    def labels(self, v: Mapping[str, Tensor], rows: int) -> Tensor:
        """Return the task's labels, (n,), as of Aim."""
        return self.aim.labels(v, rows, self.device)

    def features(self, taps: Taps) -> tuple[Tensor, Tensor]:
        """Return the representations of the last pass before and behind the release module, (n, d) in float32 each."""
        found = taps.take()
        z = found[self.layer].float()
        return found[BEFORE].float() if BEFORE in found else z, z

    def run(self, data: LabelledData) -> Rows:
        """Run the model over rows in eval mode; a TrainingError if it makes NaN or infinity of them."""
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        blocks = np.array_split(np.arange(len(data)), max(1, -(-len(data) // AT_ONCE)))
        with evaluating(self.model), torch.no_grad(), self.tapped() as taps:
            for x, _ in batches(data, [*self.classes][:1], blocks):
                scores = self.scores(to(x, self.device))
                parts.append((*self.features(taps), scores))
        before, z, scores = (torch.cat(part) for part in zip(*parts, strict=True))
        v = {name: torch.as_tensor(labels_of(data, name), device=self.device) for name in self.classes}
        for what, values in (("bottleneck", before), ("bottleneck", z), ("scores", scores)):
            if not bool((values.abs() < LARGEST).all()):
                raise TrainingError(f"Fine-tuning diverged: the {what} became NaN or infinite. Try a smaller --lr.")
        wanted, is_ordinal = self.aim.wanted(v), self.aim.is_ordinal
        y = self.labels(v, len(z))
        person = torch.as_tensor(labels_of(data, self.identity), device=self.device) if self.identity else None
        group = torch.as_tensor(data.groups(), device=self.device)
        found = Rows(
            before=before, z=z, scores=scores, y=y, v=v, wanted=wanted, person=person, group=group,
            is_ordinal=is_ordinal,
        )  # fmt: skip
        return self._of_origin(found, data) if ORIGIN in data.columns else found

    def _of_origin(self, rows: Rows, data: LabelledData) -> Rows:
        """Say of rows which may choose, and what those that a teacher labelled are worth."""
        origin = torch.as_tensor(data.codes(ORIGIN), device=self.device)
        is_taught = (origin == ORIGINS.index("taught")).double()
        worth = {name: 1 - (1 - share) * is_taught for name, share in self.worth.items()}
        return replace(rows, worth=worth, chooses=origin == ORIGINS.index("unseen"))

    def inputs(self, data: LabelledData, size: int) -> Iterator[Batch]:
        """Go over the rows once in random order, without running the model."""
        order = torch.randperm(len(data), device="cpu").numpy()
        rows = [order[start : start + size] for start in range(0, len(data) - size + 1, size)]
        for own, (x, labels) in zip(rows, batches(data, list(self.classes), rows), strict=True):
            v = {name: codes.to(self.device) for name, codes in labels.items()}
            empty, on = torch.empty(rows_of(x), 0, device=self.device), to(x, self.device)
            places = torch.as_tensor(own, device=self.device)
            y = self.labels(v, rows_of(x))
            batch = Batch(empty, empty, empty, y, v, places, lambda on=on: on, 0.0)  # type: ignore[misc]
            yield replace(batch, wanted=self.aim.wanted(v), is_ordinal=self.aim.is_ordinal)

    @contextmanager
    def releasing(self, module: nn.Module | None) -> Iterator[None]:
        """Install a release module, if there is one, at the bottleneck for a block."""
        if module is None:
            yield
            return
        release.install(self.model, self.layer, module)
        try:
            yield
        finally:
            release.remove(self.model)


def require_trainable(model: nn.Module, job: TrainingJob) -> None:
    """Raise an IreneError, before any step, for a model that cannot be read: by chance, by neighbours, or untold."""
    forward = ForwardPass.of(model, job, job.device)
    few = sample_rows(job.data)
    pooling = forward.pooling
    untold = job.padding is None and pooling.padding is None and not pooling.masked
    if pooling.text_in(few) is not None and pooling.notes and untold:
        ends = Ends()
        for x, _ in batches(
            job.data, job.named[:1], np.array_split(np.arange(len(job.data)), -(-len(job.data) // AT_ONCE))
        ):
            if (text := pooling.text_in(x)) is not None:
                ends.add(text)
        ends.require_text()
    with evaluating(model), torch.no_grad(), forward.tapped() as taps:
        encoder, scored = Encoder(model, output=forward.output), job.task is not None
        require_own_answer(encoder, few, taps, passes=0, output=scored)
        many = sample_rows(job.data, AT_ONCE)  # of the few, all may be as long
        if pooling.masked and pooling.notes:
            require_mask(encoder, many, taps)
        require_same_rows(encoder, many, run_model(encoder, many, taps), taps, output=scored)

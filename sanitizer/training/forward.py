"""A model that is being trained, as its bottleneck and its scores show it on some rows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audit.data.labelled import LabelledData
from audit.errors import TrainingError
from audit.model import release
from audit.model.forward import class_scores
from audit.model.layers import Pool, Taps, evaluating, tap
from sanitizer.methods.base import Batch, Objective, Rows
from sanitizer.training.batches import batches, in_order

BEFORE = f"{release.NAME}.map:input"
"""The bottleneck before what stands there."""
LARGEST = 1e15
"""What can still be squared and summed."""
AT_ONCE = 256
"""Rows of a pass that is not a training step."""


@dataclass(frozen=True)
class Eye:
    """Where to look."""

    model: nn.Module
    layer: str
    pool: Pool
    task: str
    classes: Mapping[str, int]
    """Number of classes of every column that is looked at."""
    device: torch.device

    @contextmanager
    def open(self) -> Iterator[Taps]:
        """Tap the bottleneck, and what comes before a map that stands there, for a block."""
        standing = release.NAME in dict(self.model.named_children())
        with tap(self.model, [self.layer, BEFORE] if standing else [self.layer], pool=self.pool) as taps:
            yield taps

    def scores(self, output: object) -> Tensor:
        """Return the task's scores, (n, k) in float32."""
        return class_scores(output, self.classes[self.task], self.task).float()

    def features(self, taps: Taps) -> tuple[Tensor, Tensor]:
        """Return the bottleneck of the last pass before and behind what stands there, (n, d) in float32 each."""
        found = taps.take()
        z = found[self.layer].float()
        return found[BEFORE].float() if BEFORE in found else z, z

    def see(self, data: LabelledData) -> Rows:
        """Run the model over rows in eval mode.

        Raises:
            TrainingError: It makes NaN or infinity of them.
        """
        parts: list[tuple[Tensor, Tensor, Tensor]] = []
        codes: dict[str, list[Tensor]] = {name: [] for name in self.classes}
        with evaluating(self.model), torch.no_grad(), self.open() as taps:
            for x, labels in batches(data, list(self.classes), in_order(len(data), AT_ONCE)):
                scores = self.scores(self.model(x.to(self.device)))
                parts.append((*self.features(taps), scores))
                for name, told in codes.items():
                    told.append(labels[name].to(self.device))
        before, z, scores = (torch.cat(part) for part in zip(*parts, strict=True))
        v = {name: torch.cat(told) for name, told in codes.items()}
        for what, made in (("bottleneck", before), ("bottleneck", z), ("scores", scores)):
            if not bool((made.abs() < LARGEST).all()):
                raise TrainingError(f"Fine-tuning diverged: the {what} became NaN or infinite. Try a smaller --lr.")
        return Rows(before=before, z=z, scores=scores, y=v[self.task], v=v)

    def inputs(self, data: LabelledData, size: int) -> Iterator[Batch]:
        """Go over the rows once in random order, without running the model."""
        order = torch.randperm(len(data), device="cpu").numpy()
        rows = [order[start : start + size] for start in range(0, len(data) - size + 1, size)]
        for own, (x, labels) in zip(rows, batches(data, list(self.classes), rows), strict=True):
            v = {name: codes.to(self.device) for name, codes in labels.items()}
            empty, on = torch.empty(len(x), 0, device=self.device), x.to(self.device)
            places = torch.as_tensor(own, device=self.device)
            yield Batch(empty, empty, empty, v[self.task], v, places, lambda on=on: on, 0.0)  # type: ignore[misc]

    @contextmanager
    def as_released(self, objective: Objective, look: Callable[[], Rows]) -> Iterator[None]:
        """Put at the bottleneck, for a block, what would stand there if training ended now."""
        last = objective.finished(look) if objective.release is None else None
        if last is None:
            yield
            return
        release.install(self.model, self.layer, last)
        try:
            yield
        finally:
            release.remove(self.model)

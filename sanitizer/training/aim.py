"""The task as training aims at it: scores, labels, and of a quantity the numbers that the model is to give.

Methods ask within which class of the task something leaks: the classes of a quantity are its eighths.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audit.data.columns import Quantity
from audit.model.structure.scores import Answer, Scores, staircase
from sanitizer.job import STRATA, TrainingJob


@dataclass(frozen=True)
class Aim:
    """What a model is to answer; without a task, nothing."""

    answer: Answer | None
    kind: Scores = "logits"
    """What the model's output holds."""
    mean: float = 0.0
    scale: float = 1.0
    """Of a quantity on the training rows: scores and wanted numbers are deviations from the one, in units of the
    other."""
    edges: Tensor | None = None
    """Between the eighths of a quantity, (7,)."""

    @staticmethod
    def of(job: TrainingJob, kind: Scores, device: torch.device) -> "Aim":
        """Look the task's numbers up, if it is a quantity."""
        column = job.data.attribute(job.task, "task") if job.task else None
        if not isinstance(column, Quantity):
            return Aim(job.answer, kind)
        values = column.values[column.known]
        edges = np.unique(np.quantile(values, np.arange(1, STRATA) / STRATA))
        on = torch.as_tensor(edges, dtype=torch.float32, device=device)
        return Aim(job.answer, kind, float(values.mean()), float(values.std()) or 1.0, on)

    @property
    def is_ordinal(self) -> bool:
        """Whether the outputs are thresholds between ordered classes."""
        return self.answer is not None and self.answer.is_ordinal

    def scores(self, output: object, rows: int, device: torch.device) -> Tensor:
        """Return the task's scores in an output, (n, k) in float32: one of each class, or a number.

        Without a task they are those of one class.
        """
        if self.answer is None:
            return torch.zeros(rows, 1, device=device)
        found = self.answer.read(output, self.kind).float()
        if self.edges is not None:
            return (found - self.mean) / self.scale
        return staircase(found) if self.is_ordinal else found

    def labels(self, v: Mapping[str, Tensor], rows: int, device: torch.device) -> Tensor:
        """Return the task's labels, (n,) int64; without a task, all rows are of one class."""
        if self.answer is None:
            return torch.zeros(rows, dtype=torch.int64, device=device)
        own = v[self.answer.task]
        return own if self.edges is None else torch.bucketize(own, self.edges, right=True)

    def wanted(self, v: Mapping[str, Tensor]) -> Tensor | None:
        """Return the numbers that the model is to give, (n,); None of a task of classes."""
        if self.answer is None or self.edges is None:
            return None
        return (v[self.answer.task] - self.mean) / self.scale

    def in_unit(self, scores: Tensor) -> Tensor:
        """Return the model's numbers, (n,) float64, in the unit of the column."""
        return scores[:, 0].cpu().double() * self.scale + self.mean

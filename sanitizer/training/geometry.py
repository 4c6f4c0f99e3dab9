"""What a model without a task is to keep: the geometry of the untouched model, and people's identities.

Geometry is the cosine similarity of every two rows, by which an encoder's vectors are used: similarities of the model
in training are drawn towards those of a frozen copy, on each batch (Tung and Mori, Similarity-preserving knowledge
distillation, ICCV 2019). Where a column of people is named, rows of one person are drawn together beside it, against
all others of the batch (Khosla et al., Supervised contrastive learning, NeurIPS 2020).
"""

from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from audit.data.columns import Ints
from audit.data.labelled import LabelledData
from audit.errors import DataError
from audit.model.structure.call import call
from audit.model.structure.eval_mode import evaluating
from sanitizer.information import TINY
from sanitizer.job import TrainingJob
from sanitizer.methods.base import Batch
from sanitizer.similarity import contrastive, similarities
from sanitizer.training.forward import ForwardPass

KEPT = "what is kept"
"""The name of its loss, where there is no task to name it."""
MOST = 1500
"""Held-out rows that are compared, each with each."""
FEWEST = 10
"""Held-out people with two rows or more, below which identities cannot be told to stay."""


@dataclass(frozen=True)
class Kept:
    """What is kept, held against a frozen copy of the model as it was."""

    frozen: ForwardPass
    identity: str | None
    similar: Tensor
    """Similarities of held-out rows by the frozen copy, (m, m)."""
    person: Ints | None
    """Of these rows, (m,)."""

    @staticmethod
    def of(forward: ForwardPass, job: TrainingJob, held_out: LabelledData) -> "Kept":
        """Copy the model before a step is trained; a DataError if too few held-out people have two rows."""
        frozen = replace(forward, model=deepcopy(forward.model).requires_grad_(False))
        similar = similarities(frozen.run(held_out).z[:MOST])
        person = held_out.codes(job.keep_identity)[:MOST] if job.keep_identity else None
        if person is not None and (several := int((np.unique(person, return_counts=True)[1] > 1).sum())) < FEWEST:
            raise DataError(
                f"{several} held-out people have two rows or more by {job.keep_identity!r}; to choose an epoch that "
                f"keeps them recognisable takes {FEWEST}. Give more rows of them, or leave --keep-identity out."
            )
        return Kept(frozen, job.keep_identity, similar, person)

    def loss(self, batch: Batch) -> Tensor:
        """Return the squared error of the batch's similarities as a share of their variance, and that of identities."""
        with evaluating(self.frozen.model), torch.no_grad(), self.frozen.tapped() as taps:
            call(self.frozen.model, batch.x())
            wanted = similarities(self.frozen.features(taps)[1])
        found, apart = similarities(batch.z), ~torch.eye(len(wanted), dtype=torch.bool, device=wanted.device)
        lost = (found - wanted)[apart].square().mean() / wanted[apart].var().clamp_min(TINY)
        return lost if self.identity is None else lost + contrastive(found, batch.v[self.identity])

    def measured(self, z: Tensor) -> float:
        """Return what held-out rows, (n, d), kept: a correlation of similarities, or the AUC of verification."""
        found, above = similarities(z[:MOST]), torch.triu_indices(len(self.similar), len(self.similar), 1)
        now, before = (one[above[0], above[1]].double().cpu().numpy() for one in (found, self.similar))
        if self.person is not None:
            return float(roc_auc_score(self.person[above[0].cpu().numpy()] == self.person[above[1].cpu().numpy()], now))
        return float(np.corrcoef(now, before)[0, 1]) if now.std() > 0 and before.std() > 0 else 0.0

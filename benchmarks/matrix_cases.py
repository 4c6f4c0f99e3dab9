"""What a case of benchmarks/matrix.py is, and the rows that most of them share."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import irene
from audit.data.labelled import LabelledData
from audit.evidence.audit_result import AuditResult
from audit.model.forward import Encoder
from audit.settings import Settings

ROWS = 40
SETTINGS = Settings(attackers=("logistic",), bootstrap=40, null_refits=2, min_class=4, ceiling=False)
LABELS = np.random.default_rng(0).permutation(ROWS) % 2
"""The private attribute of each row."""
SEX = {"sex": LABELS}
TASK = {"sex": LABELS, "y": np.arange(ROWS) % 2}
"""The private attribute, and what the model is for."""


@dataclass(frozen=True)
class Case:
    """One thing that people hold."""

    kind: str
    name: str
    run: Callable[[Path], AuditResult]
    """Audits it, in an empty folder; whatever it makes of it wrongly is an AssertionError."""
    lines: int = 0
    """Of the user's own code that it takes, beside the call."""
    refused: bool = False
    """Whether one line that says what to do is the right answer."""
    needs: tuple[str, ...] = ()
    """Packages beside those that irene itself needs."""
    quick: bool = False
    """Whether it is one of those that the gate runs."""


def package(name: str) -> Any:
    """Import a package that not everyone has."""
    return importlib.import_module(name)


def audited(model: nn.Module | Encoder, rows: object, layer: str = "", task: str | None = None) -> AuditResult:
    """Audit a live model on rows, or on inputs, to which the labels are put."""
    data = rows if isinstance(rows, LabelledData) else irene.labelled(rows, TASK if task else SEX)
    return irene.audit(model, data, private="sex", task=task, layer=layer or (), settings=SETTINGS)


def drawn(*shape: int) -> Tensor:
    """Draw inputs, (n, …)."""
    return torch.randn(ROWS, *shape, generator=torch.Generator().manual_seed(0))


def small_net() -> nn.Module:
    """Build a network of (n, 16), whose bottleneck has 8 units."""
    return nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))

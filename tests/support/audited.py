"""One small audit from end to end."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from audit.data.labelled import LabelledData, labelled
from audit.evidence.audit_result import AuditResult
from audit.model.forward import Encoder
from audit.run import audit
from support.planted import FEW, labels, noise

N = 800


class Net(nn.Module):
    """Its bottleneck is its input, scaled; its answer is the sign of the first number."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.encoder, self.head = nn.Linear(6, width), nn.Linear(width, 2, bias=False)
        with torch.no_grad():
            self.encoder.weight.copy_(torch.eye(width, 6) * 0.5)
            self.encoder.bias.zero_()
            self.head.weight.copy_(torch.tensor([[-1.0], [1.0]]) * torch.eye(1, width))
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        scores: Tensor = self.head(self.encoder(x))
        return scores


def table(n: int = N) -> tuple[Tensor, dict[str, Any]]:
    """Inputs of which each number holds one column: y, v, age, and w; the last two hold nothing."""
    y, v, w = (labels(n, seed=seed) for seed in (1, 2, 3))
    z = noise(n)
    z[:, 0] += 4 * y - 2
    z[:, 1] += 3 * v
    z[:, 2] += 3 * w
    age = 40 + 10 * (z[:, 3] + 0.5 * noise(n, 1, seed=5)[:, 0])
    columns = {"y": np.where(y, "yes", "no"), "v": np.where(v, "f", "m"), "w": np.where(w, "a", "b"), "age": age}
    return torch.tensor(z, dtype=torch.float32), {name: list(values) for name, values in columns.items()}


def data(**changes: Any) -> LabelledData:
    x, columns = table()
    return labelled(x, {**columns, **changes})


def run(given: LabelledData | None = None, model: nn.Module | Encoder | None = None, **asked: Any) -> AuditResult:
    usual: dict[str, Any] = {"private": "v", "settings": FEW}
    return audit(model or Net(), given or data(), **(usual | asked))

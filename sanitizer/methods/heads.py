"""Training adversaries and what is taken of their predictions, for the methods that train one."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

HIDDEN = 256
"""Units of the hidden layer."""
Head = Literal["linear", "mlp"]


def make_head(kind: Head, width: int, classes: int) -> nn.Module:
    """Make an untrained classifier of features (n, width): linear, or with one hidden layer."""
    return nn.Linear(width, classes) if kind == "linear" else mlp(width, classes)


def mlp(width: int, classes: int) -> nn.Module:
    """Make a head with one hidden layer."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, classes))


def held_fixed(head: nn.Module, z: Tensor) -> Tensor:
    """Return the head's output for features, with a gradient for them and none at all for the head."""
    output: Tensor = functional_call(head, {name: one.detach() for name, one in head.named_parameters()}, (z,))
    return output


def entropy(logits: Tensor) -> Tensor:
    """Return the mean entropy of softmax(logits), (n, k), in nats."""
    log_p = logits.log_softmax(dim=1)
    return -torch.sum(log_p.exp() * log_p, dim=1).mean()


def one_hot(v: Mapping[str, Tensor], classes: Mapping[str, int]) -> Tensor:
    """Return the one-hot labels of the attributes in `classes` side by side, (n, sum of k) float32."""
    return torch.cat([functional.one_hot(v[name], k).float() for name, k in classes.items()], dim=1)

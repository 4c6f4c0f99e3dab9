"""Heads that are trained beside a model, of the private or of the retained attributes, and what is taken of them."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from sanitizer.methods.base import Batch, Optimized

HIDDEN = 256
"""Units of the hidden layer."""
BEGIN = 0.003
"""Inverse regularisation of the heads of retained attributes, where they begin: of few rows they must not know each."""
HEAD_LR = 1e-3
"""Of the heads of retained attributes."""
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


class RetainedHeads(Optimized):
    """A linear head for each retained attribute, of standardised features, trained beside the model."""

    mean: Tensor
    scale: Tensor

    def __init__(self, z: Tensor, retained: Mapping[str, Tensor], classes: Mapping[str, int]) -> None:
        """Begin as logistic regression reads features (n, d); labels, (n,) int64 each, are -1 where unknown."""
        super().__init__()
        z = z.float()
        self._names = tuple(classes)
        self.register_buffer("mean", z.mean(dim=0))
        self.register_buffer("scale", z.std(dim=0) + 1e-6)
        self.heads = nn.ModuleList(nn.Linear(z.shape[1], k) for k in classes.values())
        for head, name in zip(self.heads, classes, strict=True):
            known = retained[name] >= 0
            _begin(head, ((z - self.mean) / self.scale)[known], retained[name][known])
        self.optimizer = torch.optim.Adam(self.heads.parameters(), lr=HEAD_LR)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss of the retained attributes, a scalar, with a gradient for the features alone."""
        return self._mean(batch, held_fixed)

    def learn(self, batch: Batch) -> None:
        """Take a step of the heads."""
        self.step(self._mean(batch, lambda head, z: head(z)))

    def _mean(self, batch: Batch, said: Callable[[nn.Module, Tensor], Tensor]) -> Tensor:
        z = (batch.before.float() - self.mean) / self.scale
        each = [(said(head, z), batch.v[name]) for head, name in zip(self.heads, self._names, strict=True)]
        return torch.stack([retained_loss(scores, v, scores.shape[1]) for scores, v in each]).mean()


def _begin(head: nn.Module, z: Tensor, v: Tensor) -> None:
    """Give a linear head the solution on standard features (n, d); of a class that is not there, nothing."""
    weight, bias = head.parameters()
    found = torch.unique(v)
    with torch.no_grad():
        weight.zero_(), bias.zero_()
        if len(found) > 1:
            fit = LogisticRegression(C=BEGIN, max_iter=300).fit(z.cpu().numpy(), v.cpu().numpy())
            own = found if len(found) > 2 else found[1:]  # of two classes there is the second one's alone
            weight[own] = torch.as_tensor(fit.coef_, dtype=weight.dtype, device=weight.device)
            bias[own] = torch.as_tensor(fit.intercept_, dtype=bias.dtype, device=bias.device)


def retained_loss(scores: Tensor, v: Tensor, k: int) -> Tensor:
    """Return the loss of a retained attribute on the rows where it is known; 0 where it is not of any."""
    known = v >= 0
    if not known.any():
        return scores.sum() * 0
    return functional.cross_entropy(scores[known], v[known], weight=_balance(v[known], k))


def _balance(v: Tensor, k: int) -> Tensor:
    """Return a weight for each class, so that all classes of a batch count alike."""
    counts = torch.bincount(v, minlength=k).clamp_min(1)
    return len(v) / (k * counts.float())

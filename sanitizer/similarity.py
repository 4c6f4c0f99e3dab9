"""How alike vectors are, and whether those of one person are more alike than others."""

import torch
from torch import Tensor
from torch.nn import functional

TEMPERATURE = 0.1


def similarities(z: Tensor) -> Tensor:
    """Return the cosine similarity of every two rows of z, (n, d): (n, n)."""
    unit = functional.normalize(z.float(), dim=1)
    return unit @ unit.T


def contrastive(similar: Tensor, person: Tensor) -> Tensor:
    """Return how unlikely rows of one person are found among all others of a batch, in nats; 0 where nobody has two.

    Similarities are (n, n), people (n,).
    """
    others = ~torch.eye(len(person), dtype=torch.bool, device=person.device)
    same = (person[:, None] == person) & others
    likely = (similar / TEMPERATURE).masked_fill(~others, -torch.inf).log_softmax(dim=1)
    several = same.any(dim=1)
    per_row = likely.masked_fill(~same, 0).sum(dim=1) / same.sum(dim=1).clamp_min(1)
    return -(per_row * several).sum() / several.sum().clamp_min(1)

"""The tensors of a checkpoint without any architecture."""

from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file that holds nothing else."""
    held = safetensors.torch.load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    return dict(held)

"""The tensors of a checkpoint without any architecture."""

from pathlib import Path

import torch

from audit.model.checkpoint_file import open_checkpoint
from audit.model.state_dict import Weights, read_safetensors, weights_in


def read_weights(path: Path, key: str | None = None) -> Weights:
    file = open_checkpoint(path)
    return weights_in(file, read_safetensors(path) if file.kind == "safetensors" else torch.load(path), key)

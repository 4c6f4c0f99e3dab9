"""What a checkpoint must be before it is fine-tuned, and its weights after."""

import torch
from torch import nn

from audit.errors import CheckpointError, TrainingError, require_kind
from audit.model import release
from audit.model.checkpoint import LoadedModel, require_weights
from audit.model.state_dict import Weights


def require_unsanitized(loaded: LoadedModel) -> Weights:
    """Return the weights of a checkpoint that carries no release module yet.

    Raises:
        CheckpointError: It carries one, or is a program without weights that could be trained.
    """
    way_out = "What is sanitized goes back into a file as it came: give what irene.load(path, build) returned."
    require_kind(loaded, LoadedModel, "The model is", way_out, CheckpointError)
    weights = require_weights(loaded)
    if release.NAME in dict(loaded.module.named_children()):
        raise CheckpointError(
            f"{weights.path} was sanitized already and carries what stands at its bottleneck. Start from the "
            "checkpoint that it was made from."
        )
    return weights


def require_finite(weights: Weights, model: nn.Module) -> None:
    """Raise a TrainingError for weights, in the checkpoint's types, that the last step broke: no loss came after it."""
    state = model.state_dict()
    for key, old in weights.tensors.items():
        if old.is_floating_point() and not torch.isfinite(state[key].to(old.dtype)).all():
            raise TrainingError(f"Fine-tuning diverged: {key} became NaN or infinite. Try a smaller --lr or --weight.")

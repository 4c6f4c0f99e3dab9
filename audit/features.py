"""One pass of the frozen model over the audit's rows: bottleneck features, predictions and a fingerprint."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from audit.bottleneck import Pool, evaluating, tap
from audit.data import Ints, LabelledData, batches
from audit.errors import BottleneckError, DataError

Floats = NDArray[np.float32]
Track = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""Wraps an iterable of known length, to show progress; the last argument says what goes by."""


def untracked(items: Iterable[Any], _length: int, _label: str) -> Iterable[Any]:
    """Show no progress."""
    return items


@dataclass(frozen=True)
class Features:
    """What the model made of n rows."""

    z: dict[str, Floats]
    """Features per layer, (n, d)."""
    predicted: Ints
    """ŷ, the class with the highest score, (n,)."""
    fingerprint: str
    """SHA-256 over inputs, labels and groups, in order."""


def extract(
    model: nn.Module,
    data: LabelledData,
    layers: Sequence[str],
    *,
    task: str,
    private: Sequence[str],
    pool: Pool = "mean",
    batch_size: int = 128,
    track: Track = untracked,
) -> Features:
    """Run the model once over all rows in eval mode, on the device it is on, and keep what the layers give.

    Raises:
        BottleneckError: A layer cannot be tapped or gives NaN.
        DataError: The model does not score the task's classes, or scores them with NaN.
    """
    device = device_of(model)
    columns = [task, *private]
    digest = hashlib.sha256(data.labels_sha256(columns).encode())
    classes = len(data.columns[task].classes)
    kept: dict[str, list[Floats]] = {name: [] for name in layers}
    predicted: list[Ints] = []
    undefined = 0
    with evaluating(model), torch.inference_mode(), tap(model, layers, pool=pool) as taps:
        for x, _labels in track(
            batches(data, columns, size=batch_size), -(-len(data) // batch_size), "one forward pass"
        ):
            digest.update(x.numpy().tobytes())
            scores = class_scores(model(x.to(device)), classes, task)
            undefined += int((~torch.isfinite(scores)).any(dim=1).sum())
            predicted.append(scores.argmax(dim=1).cpu().numpy())
            for name, z in taps.take().items():
                kept[name].append(z.float().cpu().numpy())
    features = {name: np.concatenate(parts) for name, parts in kept.items()}
    for name, found in features.items():
        broken = int((~np.isfinite(found)).any(axis=1).sum())
        if broken:
            raise BottleneckError(
                f"Layer {name!r} gives NaN or infinity for {broken} of {len(found)} rows. "
                "Check the inputs' scale, or choose another layer."
            )
    if undefined:
        raise DataError(
            f"The model scores {task!r} with NaN or infinity for {undefined} of {len(data)} rows. "
            "Check the inputs' scale, or the weights behind the bottleneck."
        )
    return Features(features, np.concatenate(predicted), digest.hexdigest())


def class_scores(output: Any, classes: int, task: str) -> Tensor:
    """Return what the model answers as one score a class, (n, classes); a single logit counts for class 1.

    Raises:
        DataError: The output is no tensor, or has another number of classes than the task's column.
    """
    if not isinstance(output, Tensor):
        raise DataError(
            f"The model returns a {type(output).__name__}, not a tensor of class scores. "
            "Wrap it in a factory that does."
        )
    scores = output.unsqueeze(1) if output.ndim == 1 else output
    if scores.ndim == 2 and scores.shape[1] == 1 and classes == 2:
        return torch.cat([torch.zeros_like(scores), scores], dim=1)
    if scores.ndim != 2 or scores.shape[1] != classes:
        raise DataError(
            f"The model's output has shape {list(output.shape)} and task {task!r} has {classes} classes. "
            "Name the task that the model was trained for."
        )
    return scores


def device_of(model: nn.Module) -> torch.device:
    """Return the device of the model's parameters; the CPU for a model without any."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device

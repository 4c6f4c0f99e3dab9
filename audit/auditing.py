"""One audit from end to end: features, splits, attackers, evidence."""

import datetime
import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn

from audit import evidence, probes
from audit.bottleneck import Pool, evaluating, suggest
from audit.calibration import mean_recall
from audit.data import Column, Ints, LabelledData
from audit.errors import DataError, IreneError
from audit.features import Track, device_of, extract, untracked
from audit.leakage import Settings, measure, resample
from audit.splits import Splits, class_rows, split_rows

PACKAGES = ("irene-audit", "torch", "scikit-learn", "numpy")


def audit(
    model: nn.Module,
    data: LabelledData,
    *,
    task: str,
    private: Sequence[str],
    layers: Sequence[str] = (),
    settings: Settings | None = None,
    pool: Pool = "mean",
    batch_size: int = 128,
    checkpoint: evidence.Checkpoint | None = None,
    limit_set_by: Literal["user", "default"] = "user",
    command: str = "",
    notes: Sequence[str] = (),
    track: Track = untracked,
) -> evidence.AuditResult:
    """Measure how much of each private attribute can be read at each layer of a frozen model.

    Args:
        model: Gives class scores (n, k) for inputs (n, …); left exactly as found, on the device it is on.
        data: Rows that the model was not trained on.
        task: Column that the model predicts.
        private: Columns that should not be readable.
        layers: Where to look; the suggested bottleneck if none is named.
        settings: Attackers, limit, seed.
        pool: How maps and tokens become one vector a row.
        batch_size: Rows in one forward pass.
        checkpoint: Where the model came from; a hash over its weights if not given.
        limit_set_by: Who chose the limit.
        command: What was run, for the record.
        notes: What the reader should know beforehand.
        track: Shows progress.

    Raises:
        IreneError: Any of its kinds; see audit.errors.
    """
    settings = settings or Settings(attackers=probes.DEFAULT)
    if not settings.attackers:
        raise DataError(f"No attacker was named. Name at least one of {', '.join(probes.ATTACKERS)}.")
    for name in settings.attackers:
        probes.attacker(name, settings.seed)  # a mistyped name fails before the work, not after it
    if not private:
        raise DataError("No private attribute was named. Name at least one, for instance private=['gender'].")
    if task in private:
        raise DataError(f"{task!r} is the task and cannot be private too: a model that does its task tells it.")
    target = data.column(task, "task")
    attributes = {name: data.column(name, "private") for name in private}
    groups = data.groups()
    splits = split_rows(groups, [target.codes, *(column.codes for column in attributes.values())], seed=settings.seed)
    for name, column in attributes.items():
        class_rows(name, column, splits)  # too few rows is told before the pass, not after it
    x = first_input(model, data)
    layers = layers or [suggest(model, x)]
    features = extract(model, data, layers, task=task, private=private, pool=pool, batch_size=batch_size, track=track)
    pairs = [(attribute, layer) for layer in layers for attribute in private]
    leakage = [
        measure(
            features.z[layer],
            attributes[attribute],
            features.predicted,
            splits,
            attribute=attribute,
            layer=layer,
            settings=settings,
        )
        for attribute, layer in track(pairs, len(pairs), "attacks")
    ]
    warnings = list(notes)
    if data.group is None:
        warnings.append(
            "no group column was given: if several rows show one person, attackers may know people by heart"
        )
    return evidence.AuditResult(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=command,
        checkpoint=checkpoint or describe_model(model),
        data=evidence.DataRows(
            name=data.name,
            options=dict(data.options),
            rows=len(data),
            fingerprint=features.fingerprint,
            group=data.group_name or ("group" if data.group is not None else None),
            **{name: _split(rows, groups) for name, rows in _named(splits)},
        ),
        task=_task(task, target, features.predicted, splits, settings),
        protocol=evidence.Protocol(
            seed=settings.seed,
            attackers=list(settings.attackers),
            views=list(probes.VIEWS),
            bootstrap=settings.bootstrap,
            null_refits=settings.null_refits,
            fit_rows=settings.fit_rows,
            pool=pool,
            limit=settings.limit,
            limit_set_by=limit_set_by,
        ),
        leakage=leakage,
        warnings=warnings,
        versions=versions(),
        device=_device(device_of(model)),
    )


def describe_model(model: nn.Module) -> evidence.Checkpoint:
    """Describe a model that came from no file by its class and a SHA-256 over its weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + b"\0" + tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return evidence.Checkpoint(
        file="(live object)",
        sha256=digest.hexdigest(),
        architecture=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
    )


def versions() -> dict[str, str]:
    """Return the versions that the figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def choose_device(name: str) -> torch.device:
    """Return the device of that name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        IreneError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise IreneError(f"No CUDA device here, and --device is {name!r}. Leave it out, or give --device cpu.")
    try:
        device = torch.device(name)
        torch.ones(1, device=device).item()  # fails on a device that is not here, and on one without data
    except (RuntimeError, AssertionError):
        raise IreneError(f"No device {name!r} here. Leave --device out, or give cpu, cuda or cuda:0.") from None
    return device


def first_input(model: nn.Module, data: LabelledData) -> torch.Tensor:
    """Return the first row's input, (1, …), on the model's device, once the model has taken it.

    Raises:
        DataError: The model cannot take it.
    """
    x = data.inputs[0].unsqueeze(0).to(device_of(model))
    try:
        with evaluating(model), torch.inference_mode():
            model(x)
    except (RuntimeError, ValueError, AssertionError) as error:
        fact = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"The model cannot take the inputs of {data.name}, of shape {list(x.shape[1:])} ({fact}). "
            "Give the data and the image size that it was trained on."
        ) from None
    return x


def _task(name: str, target: Column, predicted: Ints, splits: Splits, settings: Settings) -> evidence.Task:
    y, answer = target.codes[splits.test], predicted[splits.test]
    resamples = resample(splits.groups[splits.test], settings)
    right = y == answer
    return evidence.Task(
        name=name,
        classes=list(target.classes),
        accuracy=resamples.estimate(resamples.weights @ right / resamples.weights.sum(axis=1)),
        balanced_accuracy=resamples.estimate(mean_recall(right, y, resamples.weights, len(target.classes))),
        chance=float(np.bincount(y).max() / len(y)),
    )


def _named(splits: Splits) -> list[tuple[str, Ints]]:
    return [("train", splits.train), ("select", splits.select), ("test", splits.test)]


def _split(rows: Ints, groups: Ints) -> evidence.Split:
    return evidence.Split(rows=len(rows), groups=len(np.unique(groups[rows])))


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"

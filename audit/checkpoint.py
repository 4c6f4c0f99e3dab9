"""Load a checkpoint into the architecture that the user names, all of it or nothing, and describe it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from audit import evidence
from audit.errors import CheckpointError, IreneError
from audit.naming import call, resolve
from audit.weights import Weights, listed, read_weights

ARCHITECTURES = {
    "biased-mnist": "audit.datasets.networks:biased_mnist",
    "small-convnet": "audit.datasets.networks:small_convnet",
}


@dataclass(frozen=True)
class LoadedModel:
    """A model with a file's weights in it, in eval mode on the CPU."""

    module: nn.Module
    weights: Weights
    architecture: str


def load(path: Path, architecture: str, arguments: Mapping[str, Any] | None = None) -> LoadedModel:
    """Build `architecture` and fill it with the weights in `path`, all of them or none.

    Args:
        path: `.safetensors`, or a file that torch.save wrote.
        architecture: A built-in name, `package.module:factory` or `file.py:factory`.
        arguments: Keyword arguments of the factory, for instance `num_classes`.

    Raises:
        CheckpointError: The file is missing, pickled, no state_dict, not finite or does not fit.
    """
    weights = read_weights(path)
    module = build(architecture, arguments or {})
    weights = _aligned(weights, set(module.state_dict()))
    _fit(module, weights, architecture)
    return LoadedModel(module.eval(), weights, _describe(architecture, arguments or {}))


def build(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make an untrained model from the name of its architecture.

    Raises:
        CheckpointError: The factory refuses the arguments, or returns something else than a module.
    """
    factory = resolve(architecture, "architecture", ARCHITECTURES)
    try:
        module = call(factory, arguments, architecture)
    except IreneError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        fact = " ".join(str(error).split())  # one line, whatever a factory says
        raise CheckpointError(
            f"{architecture} cannot be built with {dict(arguments)}: {fact}. Give its arguments by --arch-arg."
        ) from None
    if not isinstance(module, nn.Module):
        raise CheckpointError(
            f"{architecture} gave a {type(module).__name__}, not a torch.nn.Module. "
            "Name a class or a function that returns one."
        )
    return module


def describe(loaded: LoadedModel) -> tuple[evidence.Checkpoint, list[str]]:
    """Return what the evidence says of a loaded model, and what its reader should know.

    A sanitizer leaves a record beside its checkpoint; it counts only if it names this very file.
    """
    weights, notes = loaded.weights, list(loaded.weights.notes)
    record, sanitizing = sidecar(weights.path), None
    if record.is_file():
        found = evidence.parse(evidence.Sidecar, record, "a sanitizer's record")
        if found.sha256 == weights.sha256:
            sanitizing = found.sanitizing
        else:
            notes.append(f"{record.name} is the record of another checkpoint than {weights.path.name} and was left out")
    return (
        evidence.Checkpoint(
            file=weights.path.name,
            sha256=weights.sha256,
            architecture=loaded.architecture,
            parameters=sum(parameter.numel() for parameter in loaded.module.parameters()),
            sanitizing=sanitizing,
        ),
        notes,
    )


def sidecar(path: Path) -> Path:
    """Return where the record of a sanitized checkpoint stands: beside it."""
    return path.with_name(path.name + ".json")


def _aligned(weights: Weights, wanted: set[str]) -> Weights:
    """Strip from all names what stands before the model's own, whatever a training script put there.

    A wrapper of the user's may be called `module` itself, so the names as they stand in the file come first.
    """
    tensors, prefix = {weights.prefix + key: value for key, value in weights.tensors.items()}, ""
    while not _named_as(wanted, tensors):
        heads = {key.partition(".")[0] for key in tensors}
        if len(heads) != 1 or any("." not in key for key in tensors):
            return weights  # no prefix fits: the error is told on the names as they were read
        head = heads.pop() + "."
        tensors, prefix = {key.removeprefix(head): value for key, value in tensors.items()}, prefix + head
    return replace(weights, tensors=tensors, prefix=prefix)


def _named_as(wanted: set[str], tensors: Mapping[str, object]) -> bool:
    return all(key in wanted for key in tensors) and any(key in tensors for key in wanted)


def _fit(module: nn.Module, weights: Weights, architecture: str) -> None:
    """Copy all weights into the module, or say which do not match and change nothing."""
    wanted = module.state_dict()
    missing = [k for k in wanted if k not in weights.tensors and not k.endswith("num_batches_tracked")]
    extra = [k for k in weights.tensors if k not in wanted]
    shapes = [
        f"{k} is {list(weights.tensors[k].shape)} in the file and {list(wanted[k].shape)} in the model"
        for k in wanted
        if k in weights.tensors and weights.tensors[k].shape != wanted[k].shape
    ]
    faults = [
        f"{len(names)} {what}: {listed(names, 3)}"
        for what, names in (
            ("missing from the file", missing),
            ("unknown to the model", extra),
            ("of another shape", shapes),
        )
        if names
    ]
    if faults:
        raise CheckpointError(
            f"{weights.path} does not fit {architecture}: {'; '.join(faults)}. "
            "Name the architecture that was trained, with its arguments (for instance --arch-arg num_classes=2)."
        )
    module.load_state_dict(weights.tensors, strict=False)


def _describe(architecture: str, arguments: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{key}={value!r}" for key, value in sorted(arguments.items()))
    return f"{architecture}({inside})"

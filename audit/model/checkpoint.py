"""Load any checkpoint, all of it or nothing, into a model whose layers can be tapped, and describe it."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from audit import atomic_write
from audit.errors import CheckpointError, IreneError, UnknownNameError
from audit.evidence import audit_result
from audit.model import release
from audit.model.safe_pickle import archived, listed, read_torch
from audit.model.state_dict import Weights, chosen, is_state, read_safetensors, require_file, weights_in, within
from audit.plugins import call, resolve

ARCHITECTURES = {
    "biased-mnist": "audit.model.example_networks:biased_mnist",
    "small-convnet": "audit.model.example_networks:small_convnet",
}
TIMM = "timm:"
WAYS = "--arch torchvision.models:resnet18, timm:NAME, package.module:factory or file.py:factory"
RAN = "the file is a pickle, and code of its own ran while it was read (--allow-pickle)"


@dataclass(frozen=True)
class LoadedModel:
    """A model with a file's weights in it, in eval mode on the CPU."""

    module: nn.Module
    weights: Weights | None
    """None for what can be audited and not sanitized: a program, or a pickled module."""
    architecture: str
    format: str
    """`state_dict`, `torchscript`, `exported program` or `pickled module`."""
    path: Path
    sha256: str
    """Of the file."""
    fixed_batch: int | None = None
    """How many rows the model takes, if it takes no other number."""
    weights_key: str | None = None
    """Under which key of the file the weights, or the module, stood."""
    pickle_ran: bool = False
    """Whether code of the file's own ran while it was read."""
    notes: tuple[str, ...] = ()
    """What a reader of the evidence should know of the file."""


def load(
    path: Path,
    architecture: str | None = None,
    arguments: Mapping[str, Any] | None = None,
    *,
    weights_key: str | None = None,
    allow_pickle: bool = False,
) -> LoadedModel:
    """Load a model: weights into the architecture that is named, or a program that brings its own.

    Args:
        path: `.safetensors`, a file of torch.save, a TorchScript program, or a program of torch.export.
        architecture: A built-in name, `timm:NAME`, `package.module:factory` or `file.py:factory`; needed for weights.
        arguments: Keyword arguments of the factory, for instance `num_classes`.
        weights_key: Under which key of the file the weights stand, for instance `model_ema`.
        allow_pickle: Run the code of a pickled file. For files that the user made; it can do anything.

    Raises:
        CheckpointError: The file is missing, pickled, not finite, does not fit, or is not for such options.
        UnknownNameError: No such architecture, or no weights under that key.
    """
    require_file(path)
    kind = _format(path)
    if kind in ("torchscript", "exported program"):
        if weights_key is not None:
            raise CheckpointError(f"{path} is a program, which keeps no weights under keys. Leave --weights-key out.")
        return _program(path, kind, architecture)
    content, ran = (
        (read_safetensors(path), False)
        if path.suffix == ".safetensors"
        else read_torch(path, allow_pickle=allow_pickle)
    )
    modules = _modules(content) if ran else {}
    states = {} if is_state(content) else within(content, is_state)
    if modules and weights_key not in states and (architecture is None or not states):
        return _pickled(path, modules, weights_key)
    weights = weights_in(path, content, weights_key)
    if architecture is None:
        raise CheckpointError(f"{path} holds weights without a model. Name what builds it: {WAYS}.")
    model = build(architecture, arguments or {})
    weights = _aligned(weights, set(model.state_dict()) | release.KEYS)
    release.install_from(model, weights.tensors)
    _fit(model, weights, architecture)
    return LoadedModel(
        model.eval(),
        weights,
        _describe(architecture, arguments or {}),
        "state_dict",
        path,
        weights.sha256,
        weights_key=weights.nest,
        pickle_ran=ran,
        notes=(*weights.notes, *([RAN] if ran else [])),
    )


def build(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Make an untrained model from the name of its architecture.

    Raises:
        CheckpointError: The factory refuses the arguments, or returns something else than a module.
        UnknownNameError: There is no such architecture.
    """
    timm = architecture.startswith(TIMM)
    factory = _timm(architecture, arguments) if timm else resolve(architecture, "architecture", ARCHITECTURES)
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


def require_weights(loaded: LoadedModel) -> Weights:
    """Return the weights of a loaded model, to be changed and written back.

    Raises:
        CheckpointError: It came as a program or a pickled module.
    """
    if loaded.weights is None:
        what = {"torchscript": "a TorchScript program", "exported program": "a program of torch.export"}
        raise CheckpointError(
            f"{loaded.path} is {what.get(loaded.format, 'a pickled module')} and can be audited, not sanitized. Give "
            "the state_dict of the model it was made from: torch.save(model.state_dict(), 'model.pt')."
        )
    return loaded.weights


def describe(loaded: LoadedModel) -> tuple[audit_result.Checkpoint, list[str]]:
    """Return what the evidence says of a loaded model, and what its reader should know.

    A sanitizer leaves a record beside its checkpoint; it counts only if it names this very file.
    """
    notes = list(loaded.notes)
    record, sanitizing = audit_result.sidecar(loaded.path), None
    if record.is_file():
        found = audit_result.read_sidecar(record)
        if found.sha256 == loaded.sha256:
            sanitizing = found.sanitizing
        else:
            notes.append(f"{record.name} is the record of another checkpoint than {loaded.path.name} and was left out")
    return (
        audit_result.Checkpoint(
            file=loaded.path.name,
            sha256=loaded.sha256,
            architecture=loaded.architecture,
            parameters=sum(parameter.numel() for parameter in loaded.module.parameters()),
            format=loaded.format,
            weights_key=loaded.weights_key,
            pickle_ran=loaded.pickle_ran,
            sanitizing=sanitizing,
        ),
        notes,
    )


def _format(path: Path) -> str:
    """Tell a program from a file of weights by the names of its parts; each reader checks for itself."""
    parts = archived(path)
    if any(part.endswith("/constants.pkl") or "/code/__torch__" in part for part in parts):
        return "torchscript"
    if any(part.endswith(("/archive_format", "serialized_exported_program.json")) for part in parts):
        return "exported program"
    return "weights"


def _program(path: Path, kind: str, architecture: str | None) -> LoadedModel:
    notes = [] if architecture is None else [f"the file is a program of its own; {architecture} was not used"]
    fixed_batch: int | None = None
    if kind == "torchscript":
        from audit.model.torchscript import load_torchscript  # noqa: PLC0415 - most checkpoints are weights

        module: nn.Module = load_torchscript(path)
        name = type(module).__name__
    else:
        from audit.model.exported_program import load_exported  # noqa: PLC0415 - torch.export takes a second to import

        module, name, fixed_batch = load_exported(path)
    return LoadedModel(
        module.eval(), None, name, kind, path, atomic_write.sha256(path), fixed_batch=fixed_batch, notes=tuple(notes)
    )


def _pickled(path: Path, modules: Mapping[str, nn.Module], key: str | None) -> LoadedModel:
    nest, notes = chosen(path, modules, key)
    module = modules[nest]
    return LoadedModel(
        module.eval(),
        None,
        f"{type(module).__module__}.{type(module).__qualname__}",
        "pickled module",
        path,
        atomic_write.sha256(path),
        weights_key=nest or None,
        pickle_ran=True,
        notes=(*notes, RAN),
    )


def _modules(content: Any) -> dict[str, nn.Module]:
    """Return the modules that a pickle holds by their dotted keys; a module that is all it holds is ''."""
    return {"": content} if isinstance(content, nn.Module) else within(content, _is_module)


def _is_module(content: Any) -> bool:
    return isinstance(content, nn.Module)


def _timm(architecture: str, arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """Return what builds a model of timm's; its weights are the file's, so nothing is downloaded."""
    try:
        import timm  # noqa: PLC0415 - an extra that not everyone installs
    except ModuleNotFoundError:
        raise CheckpointError(
            f"{architecture} needs timm, which is not installed. Install it: pip install 'irene-audit[timm]'."
        ) from None
    name = architecture.removeprefix(TIMM)
    if not timm.is_model(name):
        raise UnknownNameError("timm model", name, timm.list_models())
    if "pretrained" in arguments:
        raise CheckpointError(f"{architecture} takes its weights from the file. Leave 'pretrained' out.")
    return functools.partial(timm.create_model, name, pretrained=False)


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

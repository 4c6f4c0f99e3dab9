"""Load a stranger's checkpoint into the user's architecture without running what it contains.

Only tensors are read: safetensors, or `torch.load(weights_only=True)`. There is no fallback to pickle.
"""

import io
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from audit import evidence, files
from audit.errors import CheckpointError, IreneError
from audit.naming import call, resolve

NESTS = ("state_dict", "model_state_dict", "model", "module", "net", "state_dict_ema", "model_ema", "ema")
"""Keys under which training scripts keep the weights, in the order they are looked for."""
PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
PLAIN = re.compile(r"torch\._utils\.\w+|collections\.OrderedDict|torch\.\w+Storage|(__builtin__|builtins)\.set")
"""What a pickle of plain tensors imports, and torch reads without running it."""
ARCHITECTURES = {
    "biased-mnist": "audit.datasets.networks:biased_mnist",
    "small-convnet": "audit.datasets.networks:small_convnet",
}


@dataclass(frozen=True)
class Weights:
    """The tensors of one file, under the names that the architecture uses."""

    path: Path
    sha256: str
    tensors: dict[str, Tensor]
    prefix: str
    """What stood before every name in the file."""
    nest: str | None
    """The key under which the file keeps its weights, or None where it holds nothing else."""
    notes: list[str] = field(default_factory=list)
    """What else the file holds, and was not used."""


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


def read_weights(path: Path) -> Weights:
    """Read the tensors of a checkpoint and undo what training scripts wrap around them.

    Raises:
        CheckpointError: The file is missing, is not a checkpoint, needs pickle, or holds no state_dict.
    """
    if not path.is_file():
        raise CheckpointError(f"No checkpoint {path}. Give the path of a .safetensors or .pt file.")
    content = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    nest, state, notes = _unwrap(path, content)
    prefix = ""
    while stripped := next((p for p in PREFIXES if all(key.startswith(prefix + p) for key in state)), None):
        prefix += stripped
    tensors = {key.removeprefix(prefix): value for key, value in state.items()}
    for key, value in tensors.items():
        _require_finite(path, key, value)
    return Weights(path, files.sha256(path), tensors, prefix, nest, notes)


def save_like(weights: Weights, module: nn.Module, path: Path) -> None:
    """Write a model in the format of the file it came from: same keys, shapes, dtypes and nesting.

    Whatever else that file held (an optimizer's state, an average of old weights) is left out: it could
    tell what was removed.
    """
    state = module.state_dict()
    tensors = {
        weights.prefix + key: state[key].detach().to("cpu", old.dtype).contiguous().clone()
        for key, old in weights.tensors.items()
    }
    if path.suffix == ".safetensors":
        files.write_whole(path, safetensors.torch.save(tensors))
        return
    with files.staged(path) as staging:
        torch.save({weights.nest: tensors} if weights.nest else tensors, staging)


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


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}. Copy or export it again.") from None


def _read_torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of odd pickles in many words; the refusal takes one line
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # whatever a hostile file raises while it is read is this file's fault
        raise CheckpointError(_refusal(path)) from None


def _refusal(path: Path) -> str:
    """Say why torch did not load a file; torch's own words are left out: they advise weights_only=False."""
    if any(name.endswith(("/constants.pkl", "/code/__torch__.py")) for name in _archived(path)):
        return (
            f"{path} is a TorchScript program, which hides its layers. Save the weights of the model it was made "
            "from: torch.save(model.state_dict(), 'model.pt')."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            classes = set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except Exception:  # it reads zip archives of pickle protocol 2 alone
            classes = _imports(path)
    if classes:
        return (
            f"{path} is a pickle that would run code from {_listed(sorted(classes), 8)}; it was not loaded. "
            "Save the weights alone: torch.save(model.state_dict(), 'model.pt')."
        )
    with path.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        fact = "is cut off or damaged"
    elif start[:1] == b"\x80":
        fact = "is a pickle that torch does not read safely"
    else:
        fact = "is neither a torch nor a safetensors file" if start else "is empty"
    return f"{path} {fact}. Copy it again, or save the weights alone: torch.save(model.state_dict(), 'model.pt')."


def _archived(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return []


def _pickled(path: Path) -> bytes:
    data = next((name for name in _archived(path) if name.endswith("data.pkl")), None)
    if data is None:
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return archive.read(data)


def _imports(path: Path) -> set[str]:
    """Name what a pickle would import beyond tensors, from its instructions, none of which is run."""
    found: set[str] = set()
    texts = [""]
    try:
        file = io.BytesIO(_pickled(path))
        while True:  # torch's old format is several pickles in a row; the end of them raises
            for opcode, argument, _position in pickletools.genops(file):
                if opcode.name == "GLOBAL":
                    found.add(str(argument).replace(" ", "."))
                elif opcode.name == "STACK_GLOBAL":
                    found.add(".".join(texts[-2:]))
                elif isinstance(argument, str):
                    texts.append(argument)
    except Exception:  # the end of the pickles, or bytes that are none
        pass
    return {name for name in found if not PLAIN.fullmatch(name)}


def _unwrap(path: Path, content: Any) -> tuple[str | None, dict[str, Tensor], list[str]]:
    if _is_state(content):
        return None, dict(content), []
    if isinstance(content, Mapping):
        nests = [nest for nest in NESTS if nest in content and _is_state(content[nest])]
        if nests:
            rest = sorted(str(key) for key in content if key != nests[0])
            notes = [f"the checkpoint also holds {_listed(rest)}, which was not used"] if rest else []
            return nests[0], dict(content[nests[0]]), notes
        held = _listed(sorted(str(key) for key in content), 8) or "nothing"
        raise CheckpointError(f"{path} holds no state_dict (it holds: {held}). Save model.state_dict().")
    raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state_dict. Save model.state_dict().")


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


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
        f"{len(names)} {what}: {_listed(names, 3)}"
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


def _require_finite(path: Path, key: str, value: Tensor) -> None:
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        raise CheckpointError(f"{path} holds {key!r} as a {value.type()}, not a plain tensor. Save dense weights.")
    wide = value.float() if value.is_floating_point() and value.itemsize == 1 else value  # float8 has no isfinite
    if not torch.isfinite(wide).all():
        raise CheckpointError(f"{path} holds NaN or infinity in {key!r}. Take an earlier checkpoint of this training.")


def _listed(names: Sequence[str], most: int = 20) -> str:
    """Join a stranger's names in one line: at most so many, without line breaks and control characters."""
    shown = ", ".join(names[:most]) + (", …" if len(names) > most else "")
    return "".join(letter if letter.isprintable() else "?" for letter in shown)


def _describe(architecture: str, arguments: Mapping[str, Any]) -> str:
    inside = ", ".join(f"{key}={value!r}" for key, value in sorted(arguments.items()))
    return f"{architecture}({inside})"

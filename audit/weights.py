"""Read the tensors of a stranger's checkpoint without running what it contains, and write them back.

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

from audit import files
from audit.errors import CheckpointError

NESTS = ("state_dict", "model_state_dict", "model", "module", "net", "state_dict_ema", "model_ema", "ema")
"""Keys under which training scripts keep the weights, in the order they are looked for."""
PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
PLAIN = re.compile(r"torch\._utils\.\w+|collections\.OrderedDict|torch\.\w+Storage|(__builtin__|builtins)\.set")
"""What a pickle of plain tensors imports, and torch reads without running it."""


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
        files.write_whole(path, safetensors.torch.save(tensors, metadata={"format": "pt"}))
        return
    with files.staged(path) as staging:
        torch.save({weights.nest: tensors} if weights.nest else tensors, staging)


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
            f"{path} is a pickle that would run code from {listed(sorted(classes), 8)}; it was not loaded. "
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
            notes = [f"the checkpoint also holds {listed(rest)}, which was not used"] if rest else []
            return nests[0], dict(content[nests[0]]), notes
        held = listed(sorted(str(key) for key in content), 8) or "nothing"
        raise CheckpointError(f"{path} holds no state_dict (it holds: {held}). Save model.state_dict().")
    raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state_dict. Save model.state_dict().")


def _is_state(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _require_finite(path: Path, key: str, value: Tensor) -> None:
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        raise CheckpointError(f"{path} holds {key!r} as a {value.type()}, not a plain tensor. Save dense weights.")
    wide = value.float() if value.is_floating_point() and value.itemsize == 1 else value  # float8 has no isfinite
    if not torch.isfinite(wide).all():
        raise CheckpointError(f"{path} holds NaN or infinity in {key!r}. Take an earlier checkpoint of this training.")


def listed(names: Sequence[str], most: int = 20) -> str:
    """Join a stranger's names in one line: at most so many, without line breaks and control characters."""
    shown = ", ".join(names[:most]) + (", …" if len(names) > most else "")
    return "".join(letter if letter.isprintable() else "?" for letter in shown)

"""The tensors of a checkpoint under the names that the architecture uses, and the way back into a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from audit import atomic_write
from audit.errors import CheckpointError, UnknownNameError
from audit.model.release import KEYS
from audit.model.safe_pickle import listed, read_torch

PLAIN_NESTS = (
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "model_weights",
    "model_state", "encoder", "backbone", "student",
)  # fmt: skip
"""Keys under which training scripts keep the trained weights, in the order they are looked for."""
AVERAGES = (
    "state_dict_ema", "model_ema", "ema", "ema_state_dict", "ema_model", "model_ema_state_dict", "params_ema",
    "ema_weights", "teacher",
)  # fmt: skip
"""Keys of a running average of them, taken where there is nothing else."""
NESTS = PLAIN_NESTS + AVERAGES
PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""
COUNTER = "n_averaged"
"""What torch.optim.swa_utils.AveragedModel counts, beside `module.…`."""
DEEPEST = 3
"""Keys within keys that are looked into."""


@dataclass(frozen=True)
class Weights:
    """The tensors of one file, under the names that the architecture uses."""

    path: Path
    sha256: str
    tensors: dict[str, Tensor]
    prefix: str
    """What stood before every name in the file."""
    nest: str | None
    """The key under which the file keeps its weights, dotted for a key within a key; None where it holds nothing
    else."""
    notes: list[str] = field(default_factory=list)
    """What else the file holds, and was not used."""


def read_weights(path: Path, key: str | None = None) -> Weights:
    """Read the tensors of a checkpoint and undo what training scripts wrap around them.

    Args:
        path: `.safetensors`, or a file that torch.save wrote.
        key: Where in the file the weights stand, for instance `model_ema`; the usual places if not given.

    Raises:
        CheckpointError: The file is missing, is not a checkpoint, needs pickle, or holds no state_dict.
        UnknownNameError: No weights stand under `key`.
    """
    require_file(path)
    content = read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)[0]
    return weights_in(path, content, key)


def weights_in(path: Path, content: Any, key: str | None = None) -> Weights:
    """Find the weights in what a file holds; see `read_weights`."""
    nest, state, notes = _unwrap(path, content, key)
    if COUNTER in state and len(state) > 1 and all(name.startswith("module.") for name in state if name != COUNTER):
        del state[COUNTER]
        notes.append(f"the weights are an average of torch's AveragedModel; its counter {COUNTER!r} was left out")
    prefix = ""
    while stripped := next((p for p in PREFIXES if all(name.startswith(prefix + p) for name in state)), None):
        prefix += stripped
    tensors = {name.removeprefix(prefix): value for name, value in state.items()}
    for name, value in tensors.items():
        _require_finite(path, name, value)
    return Weights(path, atomic_write.sha256(path), tensors, prefix, nest, notes)


def save_like(weights: Weights, module: nn.Module, path: Path) -> None:
    """Write a model in the format of the file it came from: same keys, shapes, dtypes and nesting.

    What stands at its bottleneck (audit.released) goes with it. Whatever else that file held (an optimizer's state, an
    average of old weights) is left out: it could tell what was removed.
    """
    state = module.state_dict()
    kept = {key: value.to(weights.tensors.get(key, value).dtype) for key, value in state.items()
            if key in weights.tensors or key in KEYS}  # fmt: skip
    tensors = {weights.prefix + key: value.detach().cpu().contiguous().clone() for key, value in kept.items()}
    if path.suffix == ".safetensors":
        atomic_write.write_whole(path, safetensors.torch.save(tensors, metadata={"format": "pt"}))
        return
    content: dict[str, Any] = tensors
    for part in reversed(weights.nest.split(".") if weights.nest else []):
        content = {part: content}
    with atomic_write.staged(path) as staging:
        torch.save(content, staging)


def require_file(path: Path) -> None:
    """Raise CheckpointError where there is no such file."""
    if not path.is_file():
        raise CheckpointError(f"No checkpoint {path}. Give the path of a .safetensors or .pt file.")


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file.

    Raises:
        CheckpointError: It is damaged.
    """
    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}. Copy or export it again.") from None


def within(content: Any, wanted: Callable[[Any], bool]) -> dict[str, Any]:
    """Return everything of a kind in nested mappings by its dotted key: the usual keys first, then as they stand."""
    found = dict(_within(content, wanted, DEEPEST))
    ranks = {nest: place for place, nest in enumerate(NESTS)}
    return dict(sorted(found.items(), key=lambda item: _rank(item[0], ranks)))


def chosen(path: Path, found: Mapping[str, Any], key: str | None) -> tuple[str, list[str]]:
    """Return which of several things under dotted keys to take, and what a reader should know of that choice.

    Raises:
        UnknownNameError: `key` is not among them.
        CheckpointError: None of them stands in a usual place.
    """
    if key is not None:
        if key not in found:
            raise UnknownNameError(f"key of weights in {path.name}", key, [listed([name]) for name in found])
        return key, []
    first = next(iter(found))
    if len(found) > 1 and first.partition(".")[0] not in NESTS:
        raise CheckpointError(
            f"{path} holds weights in several places: {listed(list(found), 8)}. Choose one with --weights-key."
        )
    others = [name for name in found if name != first]
    if others:
        return first, [f"the weights under {first!r} were taken; others stand under {listed(others)} (--weights-key)"]
    return first, []


def _rank(key: str, ranks: Mapping[str, int]) -> tuple[int, int]:
    parts = key.split(".")
    average = any(part in AVERAGES for part in parts)
    return (len(NESTS) if average else 0) + ranks.get(parts[0], 2 * len(NESTS)), len(parts)


def _within(content: Any, wanted: Callable[[Any], bool], depth: int) -> Iterator[tuple[str, Any]]:
    if not isinstance(content, Mapping) or not depth:
        return
    for key, value in content.items():
        if not isinstance(key, str):
            continue  # an optimizer numbers its parameters
        if wanted(value):
            yield key, value
        else:
            yield from ((f"{key}.{inner}", found) for inner, found in _within(value, wanted, depth - 1))


def _unwrap(path: Path, content: Any, key: str | None) -> tuple[str | None, dict[str, Tensor], list[str]]:
    if is_state(content):
        if key is not None:
            raise CheckpointError(f"{path} holds plain weights, under no key. Leave --weights-key out.")
        return None, dict(content), []
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not a state_dict. Save model.state_dict().")
    found = within(content, is_state)
    if not found:
        held = listed(sorted(str(name) for name in content), 8) or "nothing"
        raise CheckpointError(f"{path} holds no state_dict (it holds: {held}). Save model.state_dict().")
    nest, notes = chosen(path, found, key)
    heads = {name.partition(".")[0] for name in found}
    rest = sorted(str(name) for name in content if str(name) not in heads)
    if rest:
        notes.append(f"the checkpoint also holds {listed(rest)}, which was not used")
    return nest, dict(found[nest]), notes


def is_state(content: Any) -> bool:
    """Return whether something is a state_dict of tensors."""
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

"""The tensors of a checkpoint under the names that the architecture uses, and the way back into a file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeGuard, TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn

from audit.errors import CheckpointError, UnknownNameError, in_one_line, listed
from audit.file_limits import MOST_HEADER, opened, require_plausible, told
from audit.model import release
from audit.model.checkpoint_file import CheckpointFile, unfolded

T = TypeVar("T")
PLAIN_NESTS = (
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params", "model_weights",
    "model_state", "encoder", "backbone", "student",
)  # fmt: skip
"""Keys under which training scripts keep the trained weights, most usual first."""
AVERAGES = (
    "state_dict_ema", "model_ema", "ema", "ema_state_dict", "ema_model", "model_ema_state_dict", "params_ema",
    "ema_weights", "teacher",
)  # fmt: skip
"""Keys of a running average of them, taken where there is nothing else."""
NESTS = PLAIN_NESTS + AVERAGES
PREFIXES = ("module.", "_orig_mod.")
"""Prefixes of every name, by DataParallel and torch.compile."""
COUNTER = "n_averaged"
"""The counter of torch.optim.swa_utils.AveragedModel, beside `module.…`."""
DEEPEST = 3
"""Keys within keys that are looked into."""


@dataclass(frozen=True)
class Weights:
    """The tensors of one file, under the names that the architecture uses."""

    path: Path
    sha256: str
    tensors: dict[str, Tensor]
    prefix: str
    """Before every name in the file; empty where there is none."""
    nest: str | None
    """The key under which the file keeps its weights, dotted for a key within a key; None where it holds them alone."""
    notes: list[str] = field(default_factory=list)
    """Other content of the file, which was not used."""


def weights_in(file: CheckpointFile, content: object, key: str | None = None) -> Weights:
    """Find the weights in a file's content, under `key` or in the usual places, and undo what training scripts wrap.

    Raises CheckpointError if there are none, or they are not finite; UnknownNameError if none are under `key`.
    """
    path = file.path
    nest, state, notes = _unwrap(path, content, key)
    if COUNTER in state and len(state) > 1 and all(name.startswith("module.") for name in state if name != COUNTER):
        del state[COUNTER]
        notes.append(f"the weights are an average of torch's AveragedModel; its counter {COUNTER!r} was left out")
    prefix = ""
    while stripped := next((p for p in PREFIXES if all(name.startswith(prefix + p) for name in state)), None):
        prefix += stripped
    tensors = release.in_model(path, {name.removeprefix(prefix): value for name, value in state.items()})
    _require_held(path, tensors)
    for name, value in tensors.items():
        _require_finite(path, name, value)
    return Weights(path, file.sha256, tensors, prefix, nest, notes)


def write_like(weights: Weights, module: nn.Module, path: Path, suffix: str) -> None:
    """Write a model in the format of the file it came from: same keys, shapes, dtypes and nesting.

    `suffix` says whether that is safetensors; `path` may have any name, and nothing of it is written.

    A release at its bottleneck (audit.model.release) goes with it, and the model's own keys stand under
    `irene.encoder.` then, so that no plain architecture takes them without it. Whatever else that file held (an
    optimizer's state, an average of old weights) is left out: it could reveal what was removed.
    """
    state = module.state_dict()
    kept = {key: value.to(weights.tensors.get(key, value).dtype) for key, value in state.items()
            if key in weights.tensors or key in release.KEYS}  # fmt: skip
    named = {release.in_file(key): value for key, value in kept.items()} if kept.keys() & release.KEYS else kept
    tensors = {weights.prefix + key: value.detach().cpu().contiguous().clone() for key, value in named.items()}
    if suffix == ".safetensors":
        path.write_bytes(safetensors.torch.save(tensors, metadata={"format": "pt"}))
        return
    content: dict[str, object] = dict(tensors)
    for part in reversed(weights.nest.split(".") if weights.nest else []):
        content = {part: content}
    write_torch(content, path)


def write_torch(content: object, path: Path) -> None:
    """Write what torch.save makes, the same bytes whatever the file is called; an OSError if the disk is full."""
    with path.open("wb") as file:  # by its name, torch would write the name into the file
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch tells of a position that it did not expect
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def align(weights: Weights, wanted: set[str]) -> Weights:
    """Strip from all names whatever prefix a training script put before the model's own.

    A wrapper of the user's may be called `module` itself, so the names as they are in the file come first.
    """
    tensors, prefix = {weights.prefix + key: value for key, value in weights.tensors.items()}, ""
    while not tensors.keys() <= wanted or tensors.keys().isdisjoint(wanted):
        heads = {key.partition(".")[0] for key in tensors}
        if len(heads) != 1 or any("." not in key for key in tensors):
            return weights  # no prefix fits: report the mismatch with the original names
        head = heads.pop() + "."
        prefix += head
        tensors = release.in_model(weights.path, {key.removeprefix(head): value for key, value in tensors.items()})
    return replace(weights, tensors=tensors, prefix=prefix)


def fit(module: nn.Module, weights: Weights, architecture: str) -> None:
    """Copy all weights into the module. Raises CheckpointError if some do not match; nothing is changed."""
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


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file. Raises CheckpointError if it is damaged."""
    try:
        with opened(path) as file:
            header = int.from_bytes(file.read(8), "little")
        if header > MOST_HEADER:
            raise ValueError(f"its list of tensors has {told(header)}; {told(MOST_HEADER)} are read at most")
        return safetensors.torch.load_file(path)
    except Exception as error:  # whatever a hostile file raises while it is read is this file's fault
        raise CheckpointError(
            f"{path} is not a whole safetensors file: {in_one_line(error)}. Copy or export it again."
        ) from None


def within(content: object, wanted: Callable[[object], TypeGuard[T]]) -> dict[str, T]:
    """Return everything of a kind in nested mappings by its dotted key: the usual keys first, then in their order."""
    found = dict(_within(content, wanted, DEEPEST))
    ranks = {nest: place for place, nest in enumerate(NESTS)}
    return dict(sorted(found.items(), key=lambda item: _rank(item[0], ranks)))


def chosen(path: Path, found: Mapping[str, object], key: str | None) -> tuple[str, list[str]]:
    """Return which of several things under dotted keys to take, and what a reader should know of that choice.

    Raises UnknownNameError if `key` is not among them; CheckpointError if none of them is in a usual place.
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
    note = f"the weights under {first!r} were taken; others stand under {listed(others)} (--weights-key)"
    return first, [note] if others else []


def _rank(key: str, ranks: Mapping[str, int]) -> tuple[int, int]:
    parts = key.split(".")
    average = any(part in AVERAGES for part in parts)
    return (len(NESTS) if average else 0) + ranks.get(parts[0], 2 * len(NESTS)), len(parts)


def _within(content: object, wanted: Callable[[object], TypeGuard[T]], depth: int) -> Iterator[tuple[str, T]]:
    if not isinstance(content, Mapping) or not depth:
        return
    for key, value in content.items():
        if not isinstance(key, str):
            continue  # an optimizer numbers its parameters
        if wanted(value):
            yield key, value
        else:
            yield from ((f"{key}.{inner}", found) for inner, found in _within(value, wanted, depth - 1))


def _unwrap(path: Path, content: object, key: str | None) -> tuple[str | None, dict[str, Tensor], list[str]]:
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
    if rest := sorted(str(name) for name in content if str(name) not in heads):
        notes.append(f"the checkpoint also holds {listed(rest)}, which was not used")
    return nest, dict(found[nest]), notes


def is_state(content: object) -> TypeGuard[Mapping[str, Tensor]]:
    """Return whether something is a state_dict of tensors."""
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())
    )


def _require_held(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that are larger than what the file holds: views of one number, or storage out of nothing."""
    try:
        require_plausible(sum(value.numel() * value.element_size() for value in tensors.values()), unfolded(path))
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be held: {error}. Save the weights again, without views.") from None


def _require_finite(path: Path, key: str, value: Tensor) -> None:
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        raise CheckpointError(f"{path} holds {key!r} as a {value.type()}, not a plain tensor. Save dense weights.")
    wide = value.float() if value.is_floating_point() and value.itemsize == 1 else value  # float8 has no isfinite
    if not torch.isfinite(wide).all():
        raise CheckpointError(f"{path} holds NaN or infinity in {key!r}. Take an earlier checkpoint of this training.")

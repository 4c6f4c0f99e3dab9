"""The tensors of a checkpoint under the names that the module uses, and the way back into a file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from audit.errors import CheckpointError, in_one_line
from audit.file_limits import MOST_HEADER, opened, require_plausible, told
from audit.model import release
from audit.model.checkpoint_file import unfolded


@dataclass(frozen=True)
class Weights:
    """The tensors of one file, under the names that the module uses."""

    path: Path
    sha256: str
    tensors: dict[str, Tensor]
    places: dict[str, tuple[tuple[str, ...], str]]
    """Where each stands in the file: the keys around it, and its name there."""
    prefix: str = ""
    """Before every name in the file; empty where there is none."""
    nest: tuple[str, ...] = ()
    """The keys around all of them; none where the file holds them alone, or under several."""
    key: str | None = None
    """The same as the user writes it, or what the user wrote."""
    notes: list[str] = field(default_factory=list)
    """Other content of the file, which was not used."""


def write_like(weights: Weights, module: nn.Module, path: Path, suffix: str) -> None:
    """Write a model in the format of the file it came from: same keys, shapes, dtypes and nesting.

    `suffix` says whether that is safetensors; `path` may have any name, and nothing of it is written.

    A release at its bottleneck (audit.model.release) goes with it, and the model's own keys stand under
    `irene.encoder.` then, so that no plain architecture takes them without it. Whatever else that file held (an
    optimizer's state, an average of old weights) is left out: it could reveal what was removed.
    """
    kept = {key: value.to(weights.tensors.get(key, value).dtype) for key, value in module.state_dict().items()
            if key in weights.tensors or key in release.KEYS}  # fmt: skip
    released = bool(kept.keys() & release.KEYS)
    content: dict[str, object] = {}
    for key, value in kept.items():
        nest, name = _place(weights, key, released=released)
        inner = content
        for part in nest:
            inner = inner.setdefault(part, {})  # type: ignore[assignment]
        inner[name] = value.detach().cpu().contiguous().clone()
    if suffix == ".safetensors":
        path.write_bytes(safetensors.torch.save(content, metadata={"format": "pt"}))  # type: ignore[arg-type]
        return
    write_torch(content, path)


def _place(weights: Weights, key: str, *, released: bool) -> tuple[tuple[str, ...], str]:
    """Return the keys around a tensor of the module in a file, and its name there."""
    nest, name = weights.places.get(key, (weights.nest, weights.prefix + key))
    if not released:
        return nest, name
    if nest != weights.nest:  # weights under several keys stand in one mapping, beside their release
        nest, name = weights.nest, key
    plain = name.replace(release.ENCODER, "")  # a file that was released before has the mark
    return nest, plain if key in release.KEYS else weights.prefix + release.ENCODER + plain.removeprefix(weights.prefix)


def write_torch(content: object, path: Path) -> None:
    """Write what torch.save makes, the same bytes whatever the file is called; an OSError if the disk is full."""
    with path.open("wb") as file:  # by its name, torch would write the name into the file
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch tells of a position that it did not expect
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


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


def require_held(path: Path, files: Iterable[Path], tensors: Iterable[Tensor]) -> None:
    """Refuse tensors that are larger than what the file holds: views of one number, or storage out of nothing."""
    try:
        require_plausible(sum(value.numel() * value.element_size() for value in tensors), sum(map(unfolded, files)))
    except ValueError as error:
        raise CheckpointError(f"{path} cannot be held: {error}. Save the weights again, without views.") from None


def require_finite(path: Path, key: str, value: Tensor) -> None:
    """Refuse a tensor that is no plain one, or holds what is no number."""
    if value.layout is not torch.strided or value.is_quantized or value.is_meta:
        raise CheckpointError(f"{path} holds {key!r} as a {value.type()}, not a plain tensor. Save dense weights.")
    wide = value.float() if value.is_floating_point() and value.itemsize == 1 else value  # float8 has no isfinite
    if not torch.isfinite(wide).all():
        raise CheckpointError(f"{path} holds NaN or infinity in {key!r}. Take an earlier checkpoint of this training.")

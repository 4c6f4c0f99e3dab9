"""A checkpoint's file: what kind it is, its parts and its SHA-256, found once and without running anything in it."""

import os
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from audit.atomic_write import sha256
from audit.errors import CheckpointError, in_one_line
from audit.file_limits import opened, require_plausible, require_regular, zip_parts
from audit.model.files.folder import model_files, require_inside, sha256_of
from audit.model.files.foreign import is_onnx, is_safetensors, require_torch
from audit.model.files.sentence_steps import read_steps

Kind = Literal["safetensors", "torch file", "torchscript", "exported program", "onnx"]
"""`torch file` is whatever else torch.save may have written: weights or a pickle, which only its reader can tell."""


@dataclass(frozen=True)
class CheckpointFile:
    """A file that exists; its content was not looked into."""

    path: Path
    kind: Kind
    """By the names of its parts; each reader checks for itself."""
    members: tuple[str, ...]
    """Names of the parts of a zip archive; none in a file that is not one."""
    sha256: str
    """Of the whole file, or of its shards one after the other, 64 hexadecimal digits."""
    shards: tuple[Path, ...] = ()
    """Files that hold its tensors together, of which `path` is the index."""
    added: tuple[Path, ...] = ()
    """Files of the dense steps behind a transformer, in their order."""


def open_checkpoint(path: str | os.PathLike[str]) -> CheckpointFile:
    """Find out what kind of file a checkpoint is; raise a CheckpointError if it cannot be read."""
    path = Path(path)
    try:
        require_regular(path)
        path, *shards = model_files(path) if path.is_dir() else [path]
    except FileNotFoundError:
        raise CheckpointError(f"No checkpoint {path}. Give the path of a model's file or folder.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Cannot read {path}: {_fact(error)}. Give a file that may be read.") from None
    parts = shards or [path]
    try:
        members = archive_members(parts[0])
        kind = _kind(parts[0], members)
        for shard in parts[1:]:
            require_plausible(sum(one.stat().st_size for one in parts), sum(one.stat().st_size for one in parts))
            if _kind(shard, archive_members(shard)) != kind:
                raise CheckpointError(f"{path} names files of several formats. Copy the folder again.")
        if kind == "torch file" or (kind == "safetensors" and not is_safetensors(parts[0])):
            require_torch(parts[0], members)
        return CheckpointFile(path, kind, members, sha256_of(shards) if shards else sha256(path), tuple(shards))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Cannot read {path}: {_fact(error)}. Give a file that may be read.") from None


def with_dense_steps(file: CheckpointFile, folder: Path) -> CheckpointFile:
    """Return a folder's file with those of the dense steps of sentence-transformers, if there are any."""
    steps = read_steps(folder)
    if steps is None or not steps.dense:
        return file
    added = tuple(step.weights for step in steps.dense)
    try:
        for one in added:
            require_inside(folder, one)
            if not is_safetensors(one):
                require_torch(one, archive_members(one))
        return replace(file, sha256=sha256_of([*(file.shards or [file.path]), *added]), added=added)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Cannot read {folder}: {_fact(error)}. Copy the folder again.") from None


def archive_members(path: Path) -> tuple[str, ...]:
    """Return the names of the parts of a zip archive; none where the file is not one.

    Raises OSError if it cannot be read; ValueError if it is larger than memory, or its parts cannot be held.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        require_plausible(size, size)
        try:
            return tuple(part.filename for part in zip_parts(file, size))
        except zipfile.BadZipFile:
            return ()


def unfolded(path: Path) -> int:
    """Return the bytes that a file can hold when all that is compressed in it is unfolded."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            return size + sum(part.file_size for part in zip_parts(file, size))
        except zipfile.BadZipFile:
            return size


def _fact(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or in_one_line(error)


def _kind(path: Path, members: tuple[str, ...]) -> Kind:
    if any(name.endswith("/constants.pkl") or "/code/__torch__" in name for name in members):
        return "torchscript"
    if any(name.endswith(("/archive_format", "serialized_exported_program.json")) for name in members):
        return "exported program"
    if path.suffix == ".safetensors" or (not members and is_safetensors(path)):
        return "safetensors"
    return "onnx" if not members and is_onnx(path) else "torch file"

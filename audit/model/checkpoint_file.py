"""A checkpoint's file: what kind it is, its parts and its SHA-256, found once and without running anything in it."""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from audit.atomic_write import sha256
from audit.errors import CheckpointError, in_one_line
from audit.file_limits import opened, require_plausible, require_regular, zip_parts

Kind = Literal["safetensors", "torch file", "torchscript", "exported program"]
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
    """Of the whole file, 64 hexadecimal digits."""


def open_checkpoint(path: str | os.PathLike[str]) -> CheckpointFile:
    """Find out what kind of file a checkpoint is; raise a CheckpointError if it cannot be read."""
    path = Path(path)
    try:
        require_regular(path)
        is_file = path.is_file()
    except FileNotFoundError:
        is_file = False
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Cannot read {path}: {_fact(error)}. Give a file that may be read.") from None
    if not is_file:
        raise CheckpointError(f"No checkpoint {path}. Give the path of a .safetensors or .pt file.")
    try:
        members = archive_members(path)
        digest = sha256(path)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"Cannot read {path}: {_fact(error)}. Give a file that may be read.") from None
    return CheckpointFile(path, _kind(path, members), members, digest)


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
    return "safetensors" if path.suffix == ".safetensors" else "torch file"

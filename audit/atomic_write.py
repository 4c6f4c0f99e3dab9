"""Files that are written whole or not at all, and what identifies them."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from audit.errors import IreneError
from audit.file_limits import opened

LONGEST_NAME = 250
"""Bytes; file systems take 255, and a sanitizer's record adds `.json`."""


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path` that takes its place when the block ends without an error.

    Raises IreneError if the folder cannot be made or written to, or the disk is full.
    """
    require_writable(path)
    temporary = path.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # the new content is on the disk before the old name points to it
        temporary.replace(path)
    except OSError as error:
        raise IreneError(
            f"Cannot write {path}: {error.strerror}. Nothing was changed; choose another with -o."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` as `staged` does: a killed run leaves the old file."""
    with staged(path) as temporary:
        temporary.write_bytes(content)


def require_writable(path: Path) -> None:
    """Make the folder of `path`; raise an IreneError if the file could not be written, before an hour of work."""
    if path.is_dir():
        raise IreneError(f"Cannot write {path}: it is a folder. Name a file, for instance {path / 'out.json'}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IreneError(f"Cannot make the folder {path.parent}: {error.strerror}. Choose another with -o.") from None
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise IreneError(f"Cannot write {path.name[:40]}…: its name is longer than {LONGEST_NAME} bytes. Shorten it.")
    if not os.access(path.parent, os.W_OK):
        raise IreneError(f"Cannot write into {path.parent}: no permission. Choose another folder with -o.")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

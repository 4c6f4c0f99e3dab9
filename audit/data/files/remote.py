"""Files that lie elsewhere, by fsspec: copied once into a temporary folder of the user's own, and read there."""

import re
import shutil
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec.core import url_to_fs

from audit.data.temporary import temporary_folder
from audit.errors import DataError, IreneError, in_one_line
from audit.file_limits import MIB, MOST_FILES, told

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+")
"""`s3://bucket/faces`; one letter alone is a drive of Windows."""
CHAINED = "::"
"""What fsspec reads as one address inside another, such as a file in a remote archive."""


def is_remote(name: str) -> bool:
    """Return whether a name is the address of files elsewhere."""
    return ADDRESS.fullmatch(name) is not None


@cache
def fetched(address: str) -> Path:
    """Copy a file, or all files below a folder, and return where the copy lies until the process ends.

    Names that would leave the folder are refused, and so is more than there is room for.

    Raises IreneError where the package for this kind of address is missing, DataError if nothing can be read.
    """
    shown = without_secrets(address)
    if CHAINED in address:
        raise DataError(f"{shown} is an address inside another. Give the folder or file itself.")
    if re.match(r"[^:]+://[^/@]*:[^/]*@", address):
        raise DataError(f"The address of {shown} holds a password. Give it as its service reads it, not typed here.")
    try:
        system, root = url_to_fs(address)
        sizes = _sizes(system, root)
    except ImportError as error:
        raise IreneError(f"{shown} needs another package: {in_one_line(error)}.") from None
    except Exception as error:  # each system has errors of its own
        raise DataError(f"Cannot read {shown}: {in_one_line(error)}. Check the address and your access.") from None
    if not sizes:
        raise DataError(f"Nothing lies at {shown}. Check the address and your access.")
    target = temporary_folder()
    free = shutil.disk_usage(target).free
    size = sum(one or 0 for one in sizes.values())
    if len(sizes) > MOST_FILES or size > free:
        raise DataError(
            f"{shown} holds {told(size)} in {len(sizes):,} files, and {told(free)} are free in {target.parent}. Name a "
            "folder with more room in TMPDIR, or fewer rows."
        )
    name = _plain(PurePosixPath(without_secrets(address).rstrip("/")).name)
    try:
        for path, length in sizes.items():
            _copy(system, path, _inside(path, root, target / name, shown), free if length is None else length)
    except IreneError:
        raise
    except Exception as error:
        raise DataError(f"Cannot copy {shown}: {in_one_line(error)}. Try again, or copy it yourself.") from None
    return target / name


def without_secrets(address: str) -> str:
    """Return an address without what may be a user, a password or a token in it."""
    scheme, _, rest = address.partition("://")
    host, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _sizes(system: Any, root: str) -> dict[str, int | None]:
    """Return the files below an address, or itself, and their bytes where these are known; links are none."""
    found = system.find(root, detail=True)
    files = {path: info for path, info in found.items() if info.get("type") == "file" and not info.get("islink")}
    return {str(path): None if info.get("size") is None else int(info["size"]) for path, info in files.items()}


def _inside(path: str, root: str, target: Path, shown: str) -> Path:
    """Return where a file is copied to."""
    relative = path.removeprefix(root.rstrip("/")).lstrip("/")
    parts = PurePosixPath(relative).parts
    if any(part == ".." or "\\" in part or "\0" in part for part in parts):
        raise DataError(f"{shown} holds {relative[:80]!r}, a path out of the folder. Take it out.")
    return target.joinpath(*parts)


def _plain(name: str) -> str:
    return re.sub(r"[\\\0:]", "_", name) if name not in (".", "..") else "rows"


def _copy(system: Any, path: str, target: Path, size: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with system.open(path, "rb") as source, target.open("xb") as copy:
        while block := source.read(MIB):
            left -= len(block)
            if left < 0:
                raise ValueError(f"{path} is longer than the {told(size)} that it was said to have")
            copy.write(block)

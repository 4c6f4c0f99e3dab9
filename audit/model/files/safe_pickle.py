"""Read what torch.save wrote without running it, or say in one line why that cannot be done.

The safe reader comes first, whatever the user allows; there is no fallback to pickle unless they ask for it.
"""

import io
import pickletools
import re
import sys
import warnings
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import torch

from audit.errors import CheckpointError, listed
from audit.file_limits import opened
from audit.model.files.pickle_size import oversized
from audit.model.files.stand_ins import ARRAYS, stand_ins, unknown

PLAIN = re.compile(r"torch\._utils\.\w+|collections\.OrderedDict|torch\.\w+Storage|(__builtin__|builtins)\.set")
"""Imports of a pickle of plain tensors, which torch reads without running it."""
LEGACY_PICKLES = 5
"""In a row, before the numbers, in a file of torch before 1.6."""


@dataclass(frozen=True)
class Read:
    """What a file of torch.save holds."""

    content: object
    ran: bool = False
    """Whether code of the file's own ran for it."""
    left_out: tuple[str, ...] = ()
    """Types of objects beside the weights that were left out unread."""


def read_torch(path: Path, *, allow_pickle: bool = False, skip_types: Collection[str] = ()) -> Read:
    """Read a file of torch.save; objects of harmless types, and of `skip_types`, are left out unread.

    Code of the file's own runs only if `allow_pickle`, and where the safe reader refuses the file.

    Raises CheckpointError if the file is damaged, is no torch file, or needs code that may not or cannot run.
    """
    with _pickled(path) as pickles:
        fact = next((found for one in pickles if (found := oversized(one, LEGACY_PICKLES)) is not None), None)
    if fact is not None:
        raise CheckpointError(f"{path} holds {fact}. Save the weights alone, as a state_dict.")
    try:
        return Read(_safely(path))
    except Exception:  # whatever a hostile file raises while it is read is this file's fault
        types = _classes(path)
    left = unknown(types, skip_types)
    if types and not left:
        for items in (False, True) if skip_types else (False,):
            try:
                return Read(_safely(path, stand_ins(types, items=items)), left_out=tuple(sorted(types - ARRAYS.keys())))
            except Exception:  # an object that is neither made of attributes nor of items
                continue
    if not (allow_pickle and types):
        raise CheckpointError(_refusal(path, left or types))
    return Read(_run(path), ran=True)


def _safely(path: Path, instead: Sequence[tuple[type, str]] = ()) -> object:
    with warnings.catch_warnings(), torch.serialization.safe_globals(list(instead)):
        warnings.simplefilter("ignore")  # torch warns of odd pickles in many words; the refusal takes one line
        return torch.load(path, map_location="cpu", weights_only=True)


def _run(path: Path) -> object:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # the classes of the user's own project, after the installed packages
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content: object = torch.load(path, map_location="cpu", weights_only=False)
            return content
    except Exception as error:  # its code may raise anything
        fact = listed([f"{type(error).__name__}: {error}".replace("\n", " ")])
        raise CheckpointError(
            f"{path} cannot be unpickled here ({fact}). Run irene from the folder that holds its classes, "
            "or save the weights alone: torch.save(model.state_dict(), 'model.pt')."
        ) from None


def _refusal(path: Path, types: Collection[str]) -> str:
    """Say why torch did not load a file; torch's own words are left out: they advise weights_only=False."""
    if types:
        names = sorted(types)
        if any(name.startswith("torch.nn.") for name in names):
            return (
                f"{path} is a pickle of a module that would run code from {listed(names, 8)}; it was not loaded. Save "
                "the weights alone: torch.save(model.state_dict(), 'model.pt'). Only if you made this file yourself: "
                "--allow-pickle."
            )
        return (
            f"{path} is a pickle that would run code from {listed(names, 8)}; it was not loaded. Save the weights "
            "alone: torch.save(model.state_dict(), 'model.pt'). Where these only stand beside the weights, leave them "
            f"out unread: --skip-types {listed([','.join(names[:8])])}. "
            "Only if you made this file yourself: --allow-pickle."
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


def _classes(path: Path) -> set[str]:
    """Name what a file would import beyond tensors; nothing of it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return set(torch.serialization.get_unsafe_globals_in_checkpoint(path))
        except Exception:  # it reads zip archives of pickle protocol 2 alone
            return _imports(path)


@contextmanager
def _pickled(path: Path) -> Iterator[list[IO[bytes]]]:
    """Open the instructions of a file, in an archive or at its start; of several members, torch reads one of them."""
    with opened(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                found = [archive.read(one) for one in archive.infolist() if one.filename.endswith("data.pkl")]
            if not found:
                raise zipfile.BadZipFile
        except Exception:  # no archive, or a damaged one, of which torch's reader tells more
            file.seek(0)
            is_archive = file.read(2) == b"PK"
            file.seek(0)
            yield [] if is_archive else [file]
            return
        yield [io.BytesIO(content) for content in found]


def _imports(path: Path) -> set[str]:
    """Name what a pickle would import beyond tensors, from its instructions, none of which is run."""
    found: set[str] = set()
    texts = [""]
    try:
        with _pickled(path) as (file, *_):
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

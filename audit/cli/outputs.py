"""Outputs that would be written over what the same command reads."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import click

from audit.data.sources.catalogue import METADATA
from audit.errors import IreneError


def refuse_inputs(*outputs: Path) -> None:
    """Refuse an output that the command reads, too: a table of rows, a user's own code, a file of options.

    Raises:
        IreneError: One is.
    """
    context = click.get_current_context()
    values = [value for name, value in context.params.items() if name != "output"]
    words = [str(one) for value in values for one in (value if isinstance(value, (list, tuple)) else [value])]
    typed = context.find_root().meta.get("arguments", [])
    words += [word for before, word in pairwise(typed) if before == "--config"]
    words += [word.partition("=")[2] for word in typed if word.startswith("--config=")]
    folders = [Path(word) for word in words if _is(Path.is_dir, word)]
    read = {Path(word) for word in words} | {Path(word.rpartition(":")[0]) for word in words if ":" in word}
    read |= {folder / name for folder in folders for name in METADATA}
    for output in outputs:
        if any(_is(output.samefile, str(one)) for one in read) and output.is_file():
            raise IreneError(f"{output} is read by this command and would be lost. Name another file with -o.")


def _is(holds: Callable[[Path], bool], word: str) -> bool:
    try:
        return holds(Path(word))
    except (OSError, ValueError):  # no word for a file
        return False

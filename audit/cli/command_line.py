"""What was typed: for the record, without folders, and so that no output is written over what is read."""

import re
import shlex
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import click

from audit.cli.config_file import in_full
from audit.data.sources.catalogue import METADATA
from audit.errors import IreneError

MAY_NAME_A_FILE = frozenset({"arch", "attackers", "data", "data_arg", "data_root", "method", "methods", "transform"})
"""Options of a text that may be a path, or `file.py:factory`."""
FOLDERS = re.compile(r"[^,=]*[/\\](?=[^,=/\\])")


def command_line() -> str:
    """Return the command as it was typed, with the options of its file and without the folders that it names."""
    context = click.get_current_context()
    typed: list[str] = context.find_root().meta.get("arguments", sys.argv[1:])
    own, *words = in_full(context, typed)
    return shlex.join(["irene", own, *_without_folders(context.command, words)])


def _without_folders(command: click.Command, words: list[str]) -> list[str]:
    options = {name: one for one in command.params if isinstance(one, click.Option) for name in one.opts}
    shown: list[str] = []
    expected: click.Option | None = None
    for word in words:
        name, mark, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
        option = options.get(name) if word.startswith("-") and len(word) > 1 else None
        if expected is not None:
            shown.append(_cut(word) if _may_be_path(expected) else word)
            expected = None
        elif option is None:
            shown.append(word if word.startswith("-") else _cut(word))  # an argument is a file
        elif value or mark:
            shown.append(name + mark + (_cut(value) if _may_be_path(option) else value))
        else:
            shown.append(word)
            expected = None if option.is_flag else option
    return shown


def _may_be_path(option: click.Option) -> bool:
    return isinstance(option.type, click.Path | click.File) or option.name in MAY_NAME_A_FILE


def _cut(value: str) -> str:
    return FOLDERS.sub("", value.rstrip("/\\") or value)


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

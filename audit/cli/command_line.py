"""What was typed, for the record: every option, and of files and folders the last name alone."""

import re
import shlex
import sys

import click

from audit.cli.config_file import in_full

MAY_NAME_A_FILE = frozenset(
    {"arch", "arch_arg", "attackers", "data", "data_arg", "data_root", "method", "method_arg", "methods", "tokenizer"}
    | {"transform", "unlabelled"}
)
"""Options of a text that may be a path, or `file.py:factory`."""


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
    from audit.evidence.json_file import without_folders

    if "://" in value:
        value = re.split("[?#]", value)[0]  # where an address may hold a signature
    return without_folders(value)

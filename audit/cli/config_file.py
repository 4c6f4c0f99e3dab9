"""Options from a TOML file, by their names on the command line; what is typed wins.

Keys at the top of the file are for every command that knows them. A table named after a command, `[audit]`, holds what
that command alone takes, and wins over the top.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from audit.cli.came_along import require_typed
from audit.errors import IreneError, UnknownNameError, in_one_line
from audit.file_limits import read_toml

FOUND = f"{__name__}.found"
"""The key of a context's memory of the file: arguments for a shell by the parameter's name."""


def _read(context: click.Context, _option: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    known = {_key(one): one for one in context.command.params if one.expose_value}
    values, typed = {}, {}
    for key, value in _from_file(context, path, known).items():
        place = f"{key} in {path}"
        name = str(known[key].name)
        values[name] = own = _value(known[key], value, place)
        typed[name] = list(_typed(known[key], own))
        if not _is_typed(context, known[key]):
            words = own if isinstance(own, list) else [str(own)]
            require_typed(key, words, place)
    context.default_map = values
    context.meta[FOUND] = typed


def _from_file(context: click.Context, path: Path, known: Mapping[str, click.Parameter]) -> dict[str, object]:
    """Return the options in the file for this command."""
    own, commands = str(context.info_name), _commands(context)
    content = _toml(path)
    tables = {name: content.pop(name) for name in commands if isinstance(content.get(name), dict)}
    elsewhere = {_key(one) for command in commands.values() for one in command.params}
    shared, table = _plain(content), _plain(tables.get(own, {}))
    for key in (*shared, *table):
        if key not in known and (key in table or key not in elsewhere):
            raise UnknownNameError(
                f"option of irene {own} in {path}", key, [*known, *(f"[{name}]" for name in commands)]
            )
    return {key: value for key, value in (shared | table).items() if key in known}


def _is_typed(context: click.Context, parameter: click.Parameter) -> bool:
    """Return whether an option was typed too, and wins."""
    typed = context.find_root().meta.get("arguments", [])
    if isinstance(parameter, click.Argument) or getattr(parameter, "is_flag", False):
        return False
    long = [one for one in parameter.opts if one.startswith("--")]
    short = tuple(one for one in parameter.opts if not one.startswith("--"))
    return any(
        word.partition("=")[0] in long or (bool(short) and not word.startswith("--") and word.startswith(short))
        for word in typed
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise IreneError(f"Cannot read {path}: {error.strerror}. Name a TOML file.") from None
    except ValueError as error:
        raise IreneError(f"{path} is not TOML: {in_one_line(error)}. Correct it, or leave --config out.") from None


CONFIG = click.Option(
    ["--config"],
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_read,
    help="A TOML file that holds options, by their names here without the dashes; those typed here win.",
)


def in_full(context: click.Context, typed: list[str]) -> list[str]:
    """Return what was typed, with the options in place of the file that held them."""
    found = context.meta.get(FOUND)
    if found is None:
        return typed
    own, *rest = typed
    from_file = [
        word
        for name, words in found.items()
        if context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP
        for word in words
    ]
    others = [
        word
        for before, word in zip(("", *rest), rest, strict=False)
        if "--config" not in (before, word) and not word.startswith("--config=")
    ]
    return [own, *from_file, *others]


def _commands(context: click.Context) -> dict[str, click.Command]:
    group = context.parent.command if context.parent else None
    if not isinstance(group, click.Group):
        return {}
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {name: command for name, command in found.items() if command}


def _plain(options: Mapping[str, object]) -> dict[str, object]:
    return {name.replace("_", "-"): value for name, value in options.items()}


def _key(parameter: click.Parameter) -> str:
    """Return the longest name of an option without its dashes, or an argument's name."""
    is_argument = isinstance(parameter, click.Argument)
    return str(parameter.name) if is_argument else max(parameter.opts, key=len).lstrip("-")


def _value(parameter: click.Parameter, value: object, place: str) -> str | list[str] | bool:
    """Return a value as click takes it: text as if it had been typed, or whether a flag is set."""
    flag = isinstance(parameter, click.Option) and parameter.is_flag
    several = parameter.nargs == -1 or bool(getattr(parameter, "multiple", False))
    if isinstance(value, Mapping) and several:
        return [f"{name}={json.dumps(one)}" for name, one in value.items()]
    parts = value if isinstance(value, list) else [value]
    if "\0" in str(value):
        raise IreneError(f"{place} holds the character NUL, which no option takes. Remove it.")
    if flag != isinstance(value, bool) or (not flag and any(isinstance(part, (list, dict, bool)) for part in parts)):
        takes = "true or false" if flag else "text, a number or a list of them"
        raise IreneError(f"{place} is {json.dumps(value, default=str)}, and takes {takes}.")
    if isinstance(value, bool):
        return value
    return [str(part) for part in parts] if several else ",".join(str(part) for part in parts)


def _typed(parameter: click.Parameter, value: str | list[str] | bool) -> Iterator[str]:
    """Yield the option as it would have been typed."""
    if isinstance(value, bool):
        yield from (parameter.opts if value else parameter.secondary_opts)[:1]
        return
    for one in value if isinstance(value, list) else [value]:
        yield from (one,) if isinstance(parameter, click.Argument) else (max(parameter.opts, key=len), one)

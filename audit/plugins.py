"""Turn a name from the command line into a Python object."""

import importlib
import importlib.util
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from audit.errors import IreneError, UnknownNameError, first_line

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
OURS = tuple(ROOT / room for room in ("audit", "sanitizer", "reports"))
"""Where our own code is: an error of its is no user's."""
THEIRS = tuple(ROOT / "audit" / "model" / place for place in ("programs", "example_networks.py", "structure/flow.py"))
"""Our code through which somebody's model runs."""
LIBRARY = Path(os.__file__).parent
USERS = "irene_user_"
"""Begins the names of the modules that users' files become."""
FOLDERS: set[Path] = set()
"""Folders of the users' files that were loaded."""


def resolve(name: str, kind: str, builtin: Mapping[str, str] | None = None) -> Any:
    """Return the object that `name` refers to: a built-in name, `package.module:attribute` or `file.py:attribute`.

    Built-in names map to `package.module:attribute` too, so that nothing is imported before it is asked for.
    Raises UnknownNameError if there is none of that name; IreneError if its module cannot be imported.
    """
    builtin = builtin or {}
    target = builtin.get(name, name)
    location, _, attribute = target.rpartition(":")  # the last colon: C:/own.py:net has two
    if not attribute or not location or (location.startswith(".") and not location.endswith(".py")):
        raise UnknownNameError(kind, name, [*builtin, "package.module:attribute", "file.py:attribute"])
    module = _module(location, kind)
    found: Any = module
    for part in attribute.split("."):
        if part not in dir(found):
            public = [entry for entry in dir(found) if not entry.startswith("_")]
            raise UnknownNameError(f"{kind} in {location}", part, public)
        found = getattr(found, part)
    return found


def call(function: Callable[..., T], options: Mapping[str, object], kind: str) -> T:
    """Call a factory with the user's options; raise an UnknownNameError for one that it does not take."""
    parameters = inspect.signature(function).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        for option in options:
            if option not in parameters:
                raise UnknownNameError(f"option of {kind}", option, parameters)
    return function(**options)


@contextmanager
def users_code(what: str, kind: type[IreneError] = IreneError) -> Iterator[None]:
    """Tell whatever the user's code raises in a block in one line, with its file and line; a bug of ours stays one.

    Args:
        what: Who failed, for instance "The model".
        kind: Of the error that is raised instead.
    """
    try:
        yield
    except IreneError:
        raise
    except (Exception, SystemExit) as error:
        if (place := _raised_at(error)) is None:
            raise
        raise kind(f"{what} failed with {type(error).__name__}: {first_line(error)} ({place}).") from error


def _raised_at(error: BaseException) -> str | None:
    """Return the line of the user's, or else of a library, that raised an error inside `users_code`; None for ours."""
    frames = traceback.extract_tb(error.__traceback__)[2:]  # the first two are `users_code` and the block itself
    for frame in reversed(frames):
        path = Path(frame.filename)
        if any(path.is_relative_to(room) for room in OURS) and not any(path.is_relative_to(one) for one in THEIRS):
            return None
        if "site-packages" not in path.parts and not path.is_relative_to(LIBRARY) and path not in THEIRS:
            return f"{path.name}, line {frame.lineno}"
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else None


def _module(location: str, kind: str) -> ModuleType:
    if location.endswith(".py"):
        path = Path(location)
        if not path.is_file():
            raise IreneError(f"No {kind} file {location}. Give the path of a Python file that exists.")
        spec = importlib.util.spec_from_file_location(f"{USERS}{path.stem}", path.resolve())
        assert spec is not None and spec.loader is not None  # a .py path always has a loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up there
        with _imports_of(location, kind), _beside(path.resolve().parent):
            spec.loader.exec_module(module)
        return module
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that a file here never shadows an installed package
    with _imports_of(location, kind):
        return importlib.import_module(location)


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file import the files beside it first, as Python does for a script, and later, inside its functions, too.

    A module of the same name that came from another user's folder is forgotten.
    """
    for name, module in list(sys.modules.items()):
        file, top = Path(getattr(module, "__file__", None) or "."), name.partition(".")[0]
        is_beside = (folder / f"{top}.py").exists() or (folder / top).is_dir()
        if is_beside and any(file.is_relative_to(other) for other in FOLDERS - {folder}):
            del sys.modules[name]
    FOLDERS.add(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


@contextmanager
def _imports_of(location: str, kind: str) -> Iterator[None]:
    with users_code(f"{location}, the {kind},"):
        try:
            yield
        except ModuleNotFoundError as error:
            missing = error.name or location
            raise IreneError(
                f"Cannot import {location!r} for the {kind}: no module named {missing!r}. "
                "Install it, or run irene from the folder that holds it."
            ) from None
        except SyntaxError as error:
            raise IreneError(
                f"{location}, the {kind}, is no Python: {error.msg} ({Path(error.filename or location).name}, line "
                f"{error.lineno}). Mend it there."
            ) from None

"""Turn a name from the command line into a Python object."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, ClassVar, TypeVar

from audit.errors import IreneError, UnknownNameError

T = TypeVar("T")


class Siblings(MetaPathFinder):
    """Lets the code of a user's file import the files beside it, and no other code: sys.path stays as it is."""

    folders: ClassVar[list[Path]] = []

    @classmethod
    def of(cls, folder: Path) -> None:
        """Make the files of a folder importable from within it; of another folder's, those of the same name go."""
        for name, module in list(sys.modules.items()):
            top, owner = name.partition(".")[0], cls._owner(Path(getattr(module, "__file__", None) or "."))
            if owner not in (None, folder) and ((folder / f"{top}.py").exists() or (folder / top).is_dir()):
                del sys.modules[name]
        if folder not in cls.folders:
            cls.folders.append(folder)
        if not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.insert(0, cls())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Find a file or package beside the file whose code imports it."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        if path is not None or frame is None:
            return None
        folder = self._owner(Path(frame.f_code.co_filename))
        return None if folder is None else PathFinder.find_spec(fullname, [str(folder)])

    @classmethod
    def _owner(cls, file: Path) -> Path | None:
        """Return the user's folder in which a file lies, unless it is that of an environment inside it."""
        own = (one for one in reversed(cls.folders) if file.is_relative_to(one) and "site-packages" not in file.parts)
        return next(own, None)


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


def _module(location: str, kind: str) -> ModuleType:
    if location.endswith(".py"):
        path = Path(location)
        if not path.is_file():
            raise IreneError(f"No {kind} file {location}. Give the path of a Python file that exists.")
        Siblings.of(path.resolve().parent)
        spec = importlib.util.spec_from_file_location(f"irene_user_{path.stem}", path.resolve())
        assert spec is not None and spec.loader is not None  # a .py path always has a loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up there
        with _imports_of(location, kind):
            spec.loader.exec_module(module)
        return module
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that a file here never shadows an installed package
    with _imports_of(location, kind):
        return importlib.import_module(location)


@contextmanager
def _imports_of(location: str, kind: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        missing = error.name or location
        raise IreneError(
            f"Cannot import {location!r} for the {kind}: no module named {missing!r}. "
            "Install it, or run irene from the folder that holds it."
        ) from None

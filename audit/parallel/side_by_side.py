"""Run independent fits side by side, each on one thread, so that results do not depend on the machine.

Where they run is joblib's choice: on threads unless a backend is active (audit.parallel.backends, or the user's own
`joblib.parallel_config`). Workers that share no memory with this process open mapped features by their path.
"""

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

from audit.data.shared_files import FOLDER, named_in, shared_files
from audit.errors import IreneError, first_line
from audit.parallel.one_thread import on_one_thread
from audit.parallel.packing import answered, packed, unpacked

Given = TypeVar("Given")
Found = TypeVar("Found")
Made = TypeVar("Made")
ATTEMPTS = 3
"""How often work is begun whose workers were lost."""


@dataclass(frozen=True)
class Work(Generic[Made]):
    """Independent parts of a piece of work, and what is made of their results."""

    function: Callable[[Any], Any]
    items: Sequence[Any]
    made: Callable[[list[Any]], Made]
    """Of the function of each item, in order."""


def together(*works: Work[Any]) -> list[Any]:
    """Do the parts of several pieces of work side by side, none waiting for another piece; return what each makes.

    Raises as `side_by_side` does.
    """
    functions = [work.function for work in works]
    parts = [(place, item) for place, work in enumerate(works) for item in work.items]
    found = side_by_side(lambda part: functions[part[0]](part[1]), parts)
    of_work = [[one for (place, _), one in zip(parts, found, strict=True) if place == own] for own in range(len(works))]
    return [work.made(results) for work, results in zip(works, of_work, strict=True)]


def side_by_side(function: Callable[[Given], Found], items: Iterable[Given]) -> list[Found]:
    """Return the function of each item, in order; as many at a time as there are cores, or workers.

    Raises what the function raises; IreneError if workers are lost over and over.
    """
    return [*in_order(function, [*items])]


def in_order(function: Callable[[Given], Found], items: Sequence[Given]) -> Iterator[Found]:
    """Yield the function of each item, in order, as soon as it is done where the backend can; else as `side_by_side`.

    Raises as `side_by_side` does.
    """
    backend, _ = get_active_backend(prefer="threads")
    if getattr(backend, "supports_sharedmem", False):
        yield from _on_threads(function, items)
    else:
        yield from _by_workers(function, items, streams=backend.supports_return_generator)


def _on_threads(function: Callable[[Given], Found], items: Sequence[Given]) -> Iterator[Found]:
    controller = ThreadpoolController()

    def alone(item: Given) -> Found:
        with on_one_thread(controller):
            return function(item)

    with on_one_thread(controller):
        given = (joblib.delayed(alone)(one) for one in items)
        yield from joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")(given)


@dataclass(frozen=True)
class _Failed:
    """What the function raised in a worker."""

    error: Exception
    trace: str


@dataclass(frozen=True)
class _Call:
    """What a worker needs to begin."""

    function: str
    """File of the packed function."""
    folder: str
    """Of shared files."""
    path: tuple[str, ...]
    """Where this process finds modules."""

    def __call__(self, item: bytes) -> bytes:
        """Run the function of one item, in a worker; what it raises is its answer."""
        sys.path.extend(place for place in self.path if place not in sys.path)
        with named_in(Path(self.folder)), on_one_thread(ThreadpoolController()):
            try:
                return answered(unpacked(Path(self.function).read_bytes())(unpacked(item)))
            except Exception as error:
                return answered(_Failed(error, traceback.format_exc()))


def _by_workers(function: Callable[[Given], Found], items: Sequence[Given], *, streams: bool) -> Iterator[Found]:
    """Yield the function of each item from workers in other processes; what lost ones left undone is done by others.

    Args:
        function: Of one item; large arrays that it refers to are read from files.
        items: What it is run on.
        streams: Whether the backend gives results as they are done.
    """
    with ExitStack() as stack:
        folder = FOLDER.get() or stack.enter_context(shared_files())
        own = stack.enter_context(shared_files(folder))  # of what is written for this work alone
        (own / "function").write_bytes(packed(function))
        call = _Call(str(own / "function"), str(folder), (*sys.path,))
        asked = [joblib.delayed(call)(packed(item)) for item in items]
        lost: Exception | None = None
        done = 0
        for _ in range(ATTEMPTS):
            try:
                for content in joblib.Parallel(n_jobs=-1, return_as="generator" if streams else "list")(asked[done:]):
                    done += 1
                    yield _result(content)
                return
            except _RaisedError as raised:
                raise raised.error from None
            except Exception as error:  # whatever a backend raises whose workers are gone
                lost = error
        raise IreneError(
            f"Workers were lost {ATTEMPTS} times before their work was done ({first_line(lost or IreneError())}). They "
            "may have too little memory for as many at a time: LOKY_MAX_CPU_COUNT=2 makes them two."
        ) from lost


class _RaisedError(Exception):
    """The function raised something in a worker."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _result(content: bytes) -> Found:  # type: ignore[type-var]
    found: Found = unpacked(content)
    if isinstance(found, _Failed):
        if not isinstance(found.error, IreneError):
            found.error.add_note(f"In a worker:\n{found.trace}")
        raise _RaisedError(found.error)
    return found

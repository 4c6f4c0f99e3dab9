"""Files that are written whole or not at all, alone or as a set, by one run at a time; and what identifies them.

A run that writes holds a lock beside each file, `.name.lock`, which the system lets go when the run ends, however it
ends. New content stands under `.name.….partial` until its name is given to it, readable by its owner alone; the next
run that gets the lock takes away what a killed one left.
"""

import hashlib
import os
import signal
import stat
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from audit.errors import IreneError
from audit.file_limits import opened

LONGEST_NAME = 250
"""Bytes; file systems take 255, and a sanitizer's record adds `.json`."""
LONGEST_SHOWN = 180
"""Bytes of a name that its lock and its temporary files also have."""
OWNER_ALONE = 0o600
_HELD: set[Path] = set()
"""Locks of this process."""


@contextmanager
def staged(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a temporary file beside `path` that takes its place when the block ends without an error.

    One that is `private` stays readable by its owner alone.

    Raises IreneError if the file cannot be written, another run writes it, or the disk is full.
    """
    with staged_together([path], private=private) as stage:
        yield stage(path)


@contextmanager
def staged_together(
    paths: Sequence[Path], *, last: Path | None = None, private: bool = False
) -> Iterator[Callable[[Path], Path]]:
    """Yield what gives a temporary file for some of the paths; all take their places when the block ends well.

    A set is never mixed: what an earlier run left under any of the paths is removed, the last first, before the first
    of the new files appears. The file that stands first is replaced at once.

    Args:
        paths: Every file that the set may have.
        last: A file that is removed when all are in place: the state from which the set could be made again.
        private: Whether the files stay readable by their owner alone.

    Raises:
        IreneError: A file cannot be written, another run writes it, or the disk is full. Nothing was changed then.
    """
    new: dict[Path, Path] = {}

    def stage(path: Path) -> Path:
        new[path] = path.with_name(f".{_shown(path)}.{uuid.uuid4().hex}.partial")
        os.close(os.open(new[path], os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ALONE))
        return new[path]

    with locked(*paths):
        try:
            yield stage
            for path, temporary in new.items():
                _finish(temporary, OWNER_ALONE if private else _mode(path))
            with _undisturbed():
                _put([path for path in paths if path in new], new, paths, last)
        except OSError as error:
            path = next((path for path, one in new.items() if error.filename in (str(one), one)), paths[0])
            raise IreneError(
                f"Cannot write {path}: {error.strerror or error}. Nothing was changed; choose another with -o."
            ) from None
        finally:
            for temporary in new.values():
                temporary.unlink(missing_ok=True)


def _put(names: Sequence[Path], new: dict[Path, Path], paths: Sequence[Path], last: Path | None) -> None:
    """Take the old set away, give the new files their names in order, and remove `last`."""
    for path in reversed(paths[1:] if names[:1] == list(paths[:1]) else paths):
        path.unlink(missing_ok=True)
    for path in names:
        new[path].replace(path)
    if last is not None:
        _sync(paths[0].parent)
        last.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` as `staged` does: a killed run leaves the old file."""
    with staged(path) as temporary:
        temporary.write_bytes(content)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files as `staged_together` does, in their order."""
    with staged_together(list(contents)) as stage:
        for path, content in contents.items():
            stage(path).write_bytes(content)


@contextmanager
def locked(*paths: Path) -> Iterator[None]:
    """Be the only run that writes these files, until the block ends; within it, each can be locked again.

    Raises:
        IreneError: Another run writes one of them, or it could not be written.
    """
    with ExitStack() as held:
        for path in paths:
            held.enter_context(_locked(path))
        yield


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout  # noqa: PLC0415 - `irene --help` does without

    require_writable(path)
    place = path.parent.resolve() / f".{_shown(path)}.lock"
    if place in _HELD:
        yield
        return
    lock, holder = FileLock(place, timeout=0, mode=OWNER_ALONE), _holder(place)
    try:
        lock.acquire()
        _HELD.add(place)
        place.write_text(str(os.getpid()))
        for dead in place.parent.glob(f".{_escaped(_shown(path))}.{'[0-9a-f]' * 32}.partial"):
            dead.unlink(missing_ok=True)  # who holds the lock writes nothing yet, and nobody else may
    except Timeout:
        raise IreneError(
            f"{path} is being written by another run{holder}. Wait for its end, or name another file with -o."
        ) from None
    except (OSError, NotImplementedError) as error:  # a file system may have no locks
        _let_go(place, lock.release)
        fact = getattr(error, "strerror", None) or error
        raise IreneError(f"Cannot write into {path.parent}: {fact}. Choose another folder with -o.") from None
    except BaseException:  # Ctrl-C
        _let_go(place, lock.release)
        raise
    try:
        yield
    finally:
        _let_go(place, lock.release)


def _let_go(place: Path, release: Callable[[], None]) -> None:
    """Remove a lock's file while it is held: who opened it before sees that it has no name any more."""
    if place in _HELD:
        with suppress(OSError):
            place.unlink()
        _HELD.discard(place)
        release()


def _holder(place: Path) -> str:
    try:
        return f" (process {int(place.read_text()[:20])})"
    except (OSError, ValueError):
        return ""


def as_path(output: object) -> Path:
    """Return the path of an output as a user gives it; raise an IreneError for what is none."""
    if not isinstance(output, str | os.PathLike):
        raise IreneError(f"An output is named by its path, and {output!r} was given. Name a file.")
    return Path(output)


def require_writable(path: Path) -> None:
    """Make the folder of `path`; raise an IreneError if the file could not be written, before an hour of work."""
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise IreneError(f"Cannot write {path.name[:40]}…: its name is longer than {LONGEST_NAME} bytes. Shorten it.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
        fact = error.strerror if isinstance(error, OSError) else error
        raise IreneError(f"Cannot make the folder {path.parent}: {fact}. Choose another with -o.") from None
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, ValueError) as error:
        fact = error.strerror if isinstance(error, OSError) else error
        raise IreneError(f"Cannot write {path}: {fact}. Choose another with -o.") from None
    if stat.S_ISDIR(mode):
        raise IreneError(f"Cannot write {path}: it is a folder. Name a file, for instance {path / 'out.json'}.")
    if not stat.S_ISREG(mode):
        what = "a link to another file" if stat.S_ISLNK(mode) else "a device, a pipe or a socket"
        raise IreneError(f"Cannot write {path}: it is {what}, and would be replaced. Name a file with -o.")
    if not os.access(path.parent, os.W_OK):
        raise IreneError(f"Cannot write into {path.parent}: no permission. Choose another folder with -o.")


def refuse_unless(is_own: Callable[[Path], bool], *outputs: Path) -> None:
    """Raise an IreneError for an output in the place of a file that holds something and is not the command's own."""
    for path in outputs:
        if path.is_file() and path.stat().st_size and not is_own(path):
            raise would_be_lost(path)


def would_be_lost(path: Path) -> IreneError:
    """Return the error of an output in the place of a file that the command did not write."""
    return IreneError(f"{path} is there already, is no work of this command and would be lost. Name another file.")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shown(path: Path) -> str:
    """Return a file's name, or what stands for a long one, in the names of its lock and its temporary files."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= LONGEST_SHOWN else hashlib.sha256(name).hexdigest()


def _escaped(name: str) -> str:
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in name)


def _mode(path: Path) -> int:
    """Return the permissions of the file that is replaced, or those that a new one gets."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _finish(temporary: Path, mode: int) -> None:
    """See to it that the content is on the disk before a name points to it."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.chmod(mode)


def _sync(folder: Path) -> None:
    with suppress(OSError):  # not every system opens a folder
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block ended: between two names there is no good place to stop."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    for one in before:
        signal.signal(one, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)
        for number in came[:1]:
            signal.raise_signal(number)

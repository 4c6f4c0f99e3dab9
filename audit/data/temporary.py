"""Folders for a run alone: its owner's, gone when it ends, and where it was killed, with the next run."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

PREFIX, MARK = "irene-", ".in-use"
_HELD: list[FileLock] = []
"""Locks of this process's folders, held until it ends; the system lets go of those of a process that was killed."""


def temporary_folder() -> Path:
    """Return a new folder that its owner alone may enter, and that is removed when the process ends.

    Folders that runs of the same user left behind when they were killed are removed first.
    """
    _remove_dead()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _HELD.append(_in_use(folder))
    return folder


@contextmanager
def folder_of_a_block() -> Iterator[Path]:
    """Yield such a folder, which is removed when the block ends."""
    _remove_dead()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        lock = _in_use(Path(name))
        try:
            yield Path(name)
        finally:
            lock.release()


def _in_use(folder: Path) -> FileLock:
    """Return a lock that keeps other runs from removing a folder, until it is released or its process ends."""
    lock = FileLock(folder / MARK, timeout=0, mode=0o600)
    with suppress(OSError, NotImplementedError):  # a file system may have no locks: then nobody removes it but we
        lock.acquire()
    return lock


def _remove_dead() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, NotImplementedError, Timeout):  # of others, or in use
            if folder.is_symlink() or not (folder / MARK).is_file() or not _is_ours(folder):
                continue
            with FileLock(folder / MARK, timeout=0, mode=0o600):
                shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return not hasattr(os, "geteuid") or folder.stat().st_uid == os.geteuid()

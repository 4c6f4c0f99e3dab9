"""Temporary folders: their owner's, gone with the run, and where it was killed, with the next one."""

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from audit.data.temporary import MARK, temporary_folder

WITH_SIGKILL = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
RUN = """
import os, signal, sys
from contextlib import ExitStack
from audit.data.temporary import temporary_folder
from audit.data.shared_files import shared_files
stack = ExitStack()
folder = {made}
(folder / "rows").write_bytes(b"a row")
print(folder, flush=True)
{end}
"""


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


MADE = ["temporary_folder()", "stack.enter_context(shared_files())"]


def ended(end: str, made: str = MADE[0]) -> Path:
    """Let another process make a folder and end, and return the folder."""
    asked = [sys.executable, "-c", RUN.format(end=end, made=made)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return Path(done.stdout.strip())


def test_a_folder_is_its_owners_and_gone_with_the_run(there: Path) -> None:
    assert not ended("").exists()
    folder = temporary_folder()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.parent == there


@WITH_SIGKILL
@pytest.mark.parametrize("made", MADE)
def test_what_a_killed_run_left_is_removed_by_the_next_one(made: str, there: Path) -> None:
    left = ended("os.kill(os.getpid(), signal.SIGKILL)", made)
    assert (left / "rows").read_bytes() == b"a row"
    mine = temporary_folder()
    assert not left.exists()
    assert mine.exists()


@WITH_SIGKILL
@pytest.mark.parametrize("made", MADE)
def test_the_folder_of_a_run_that_goes_on_is_left_alone(made: str, there: Path) -> None:
    asked = [sys.executable, "-c", RUN.format(end="sys.stdin.read()", made=made)]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        first, second = temporary_folder(), temporary_folder()
        assert (folder / "rows").is_file()
        assert first.exists() and second.exists(), "our own neither"
        other.send_signal(signal.SIGKILL)
        other.wait()
    temporary_folder()
    assert not folder.exists()


def test_nothing_else_is_touched(there: Path) -> None:
    elsewhere = there / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MARK).touch()
    (there / "irene-link").symlink_to(elsewhere)
    (there / "irene-notes").mkdir()
    (there / "irene-notes" / "mine.txt").write_text("mine")
    temporary_folder()
    assert (elsewhere / MARK).exists() and (there / "irene-notes" / "mine.txt").exists()

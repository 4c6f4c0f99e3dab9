"""Several files appear together or not at all, one run at a time, wherever the run is killed or stopped."""

import os
import resource
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from audit import atomic_write
from audit.errors import IreneError
from audit.model.state_dict import write_torch

NAMES = ("clean.pt", "clean.pt.json", "clean.pt2", "clean.pt2.json")


def write(folder: Path, word: str, names: tuple[str, ...] = NAMES) -> None:
    """Write some files of a set."""
    state = folder / "clean.pt.state"
    with atomic_write.staged_together([folder / name for name in NAMES], last=state) as stage:
        for name in names:
            stage(folder / name).write_text(word)


def in_a_child(act: Callable[[], object]) -> int:
    """Do something in a child process; return how it ended, minus the signal that killed it."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def before_each_move(act: Callable[[int, Path], None]) -> None:
    """Call `act` with a number and a path, before that file gets or loses its name."""
    count = iter(range(1000))
    for name in ("replace", "unlink"):
        real = getattr(Path, name)

        def hooked(path: Path, *given: object, real: Callable[..., object] = real, **more: object) -> object:
            act(next(count), path)
            return real(path, *given, **more)

        setattr(Path, name, hooked)


def killed_before(move: int, folder: Path, names: tuple[str, ...]) -> bool:
    """Write a set in a child that is killed before one of its moves; return whether it came that far."""

    def die(number: int, _: Path) -> None:
        if number == move:
            os.kill(os.getpid(), signal.SIGKILL)

    def act() -> None:
        before_each_move(die)
        write(folder, "new", names)

    return in_a_child(act) == -signal.SIGKILL


@pytest.mark.parametrize("names", [NAMES, NAMES[:2]], ids=["with a program", "without"])
def test_wherever_a_set_is_killed_no_old_file_stands_beside_a_new_one(names: tuple[str, ...], tmp_path: Path) -> None:
    for move in range(100):
        folder = tmp_path / str(move)
        folder.mkdir()
        write(folder, "old")
        (folder / "clean.pt.state").write_text("state")
        came = killed_before(move, folder, names)
        found = {name: (folder / name).read_text() for name in NAMES if (folder / name).exists()}
        assert len(set(found.values())) == 1, f"move {move}: {found}"
        is_whole = found in (dict.fromkeys(NAMES, "old"), dict.fromkeys(names, "new"))
        assert is_whole or (folder / "clean.pt.state").exists(), f"move {move}: {found}"
        write(folder, "new", names)
        assert sorted(path.name for path in folder.iterdir()) == sorted(names), "something of the killed run is left"
        if not came:
            break
    assert move > 6


def test_ctrl_c_between_two_names_waits_until_all_have_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.replace

    def stopped(path: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGINT)
        return real(path, target)

    monkeypatch.setattr(Path, "replace", stopped)
    write_old = tmp_path / "clean.pt.state"
    write_old.write_text("state")
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)


def test_a_set_of_which_one_file_fails_changes_none(tmp_path: Path) -> None:
    write(tmp_path, "old")
    with (
        pytest.raises(IreneError, match="Nothing was changed"),
        atomic_write.staged_together([tmp_path / name for name in NAMES]) as stage,
    ):
        for name in NAMES:
            stage(tmp_path / name).write_text("new")
        raise OSError(28, "No space left on device")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(NAMES, "old")


def test_a_second_run_on_a_file_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with atomic_write.locked(path):

        def act() -> None:
            try:
                atomic_write.write_whole(path, b"second")
            except IreneError as error:
                (tmp_path / "told").write_text(str(error))

        in_a_child_of_another_program(act)
        told = (tmp_path / "told").read_text()
        assert told.startswith(f"{path} is being written by another run (process {os.getpid()}). Wait for its end")
        assert path.read_text() == "old"
        atomic_write.write_whole(path, b"first")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.json", "told"], "no lock is left"


def in_a_child_of_another_program(act: Callable[[], object]) -> None:
    """Do something in a child that has no lock of this process."""

    def alone() -> None:
        atomic_write._HELD.clear()
        act()

    in_a_child(alone)


def test_a_killed_run_leaves_no_lock_standing_and_its_half_is_gone_with_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def act() -> None:
        with atomic_write.staged(path) as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_a_child(act) == -signal.SIGKILL
    (half,) = tmp_path.glob(".*.partial")
    assert stat.S_IMODE(half.stat().st_mode) == 0o600, "its owner alone reads it"
    other = tmp_path / f".a.json.b.{'0' * 32}.partial"
    other.write_text("of a.json.b")
    atomic_write.write_whole(path, b"whole")
    assert sorted(one.name for one in tmp_path.iterdir()) == [other.name, "a.json"]


def test_what_is_no_regular_file_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        before = sorted(path.name for path in tmp_path.iterdir())
        for path in (*(tmp_path / name for name in ("pipe", "link", "dangling", "socket")), Path("/dev/full")):
            with pytest.raises(IreneError, match=r"would be replaced\. Name a file with -o") as caught:
                atomic_write.write_whole(path, b"")
            assert "\n" not in str(caught.value)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", ["a\0b", "\udcff" * 3, "*[x]?.json", "d" * 300 + "/a.json", "ü" * 120])
def test_an_odd_name_is_written_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    try:
        atomic_write.write_whole(tmp_path / name, b"x")
    except IreneError as error:
        str(error).encode()
        assert str(error).isprintable()
        assert list(tmp_path.iterdir()) == []
    else:
        assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_disk_that_is_full_is_told_for_a_checkpoint_too(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with (
            pytest.raises(IreneError, match=r"Cannot write .*a\.pt: File too large\. Nothing was changed"),
            atomic_write.staged(tmp_path / "a.pt") as staging,
        ):
            write_torch({"a": torch.zeros(100_000)}, staging)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_has_the_same_bytes_under_every_name(tmp_path: Path) -> None:
    for name in ("one.pt", "another"):
        write_torch({"a": torch.zeros(3)}, tmp_path / name)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another").read_bytes()


def test_a_file_keeps_its_permissions_and_a_private_one_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(0o640)
    atomic_write.write_whole(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with atomic_write.staged(tmp_path / "a.state", private=True) as temporary:
        temporary.write_text("state")
    assert stat.S_IMODE((tmp_path / "a.state").stat().st_mode) == 0o600

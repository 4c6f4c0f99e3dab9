"""Files are written whole or not at all, and names become objects or a sentence that says why not."""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from audit import atomic_write
from audit.errors import IreneError, UnknownNameError
from audit.plugins import call, resolve


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write.write_whole(path, b"old")
    with pytest.raises(KeyboardInterrupt), atomic_write.staged(path) as temporary:
        temporary.write_bytes(b"half of the n")
        assert path.read_bytes() == b"old"
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    full = pytest.raises(IreneError, match=r"Cannot write .*a\.json: No space left on device\.")
    with full, atomic_write.staged(tmp_path / "a.json") as temporary:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


def test_a_write_replaces_the_old_file_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.json"
    atomic_write.write_whole(path, b"old")
    atomic_write.write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]
    assert path.stat().st_mode & 0o600 == 0o600
    assert atomic_write.sha256(path) == "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    places = [
        (tmp_path, "it is a folder"),
        (tmp_path / "file" / "a.json", "Cannot make the folder"),
        (tmp_path / "file" / "deep" / "a.json", "Cannot make the folder"),
        (tmp_path / ("a" * 252), "longer than 250 bytes"),
    ]
    for path, fact in places:
        with pytest.raises(IreneError, match=fact) as caught:
            atomic_write.write_whole(path, b"")
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    try:
        (locked / "probe").touch()
    except PermissionError:
        with pytest.raises(IreneError, match="no permission"):
            atomic_write.require_writable(locked / "a.json")
    else:
        pytest.skip("this user may write everywhere")


def test_all_three_forms_of_a_name_resolve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own_names.py"
    own.write_text("class A:\n    b = 7\n")
    assert resolve("short", "thing", {"short": "audit.plugins:call"}) is call
    assert resolve("audit.plugins:resolve", "thing") is resolve
    assert resolve(f"{own}:A.b", "thing") == 7
    monkeypatch.chdir(tmp_path)
    assert resolve("./own_names.py:A.b", "thing") == 7


def test_a_users_file_may_define_dataclasses_with_postponed_annotations(tmp_path: Path) -> None:
    own = tmp_path / "own_values.py"
    own.write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    b: int = 7\n"
    )
    assert resolve(f"{own}:A", "thing")().b == 7


@pytest.mark.parametrize(
    ("name", "error", "fact"),
    [
        ("shrot", UnknownNameError, "Unknown thing 'shrot'. Did you mean 'short'?"),
        ("audit.plugins:", UnknownNameError, "package.module:attribute"),
        (":call", UnknownNameError, "package.module:attribute"),
        (".naming:call", UnknownNameError, "package.module:attribute"),
        ("audit.plugins:resolv", UnknownNameError, "Did you mean 'resolve'?"),
        ("audit.absent:call", IreneError, "no module named 'audit.absent'"),
        ("absent.py:call", IreneError, "No thing file absent.py"),
    ],
)
def test_a_name_that_stands_for_nothing_says_what_would(name: str, error: type[IreneError], fact: str) -> None:
    with pytest.raises(error) as caught:
        resolve(name, "thing", {"short": "audit.plugins:call"})
    assert fact in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_users_file_that_lacks_a_package_is_told_so_and_its_own_bugs_by_their_line(tmp_path: Path) -> None:
    own = tmp_path / "own_imports.py"
    own.write_text("import absent_package\n")
    with pytest.raises(IreneError, match="no module named 'absent_package'"):
        resolve(f"{own}:x", "thing")
    own.write_text("1 / 0\n")
    with pytest.raises(IreneError, match=r"ZeroDivisionError: division by zero \(own_imports.py, line 1\)"):
        resolve(f"{own}:x", "thing")


def test_an_option_that_a_factory_does_not_take_is_named() -> None:
    def factory(*, size: int = 1) -> int:
        return size

    def failing() -> NoReturn:
        raise TypeError("a bug")

    assert call(factory, {"size": 3}, "box") == 3
    with pytest.raises(UnknownNameError, match=r"option of box 'sise'. Did you mean 'size'"):
        call(factory, {"sise": 3}, "box")
    with pytest.raises(TypeError, match="a bug"):
        call(failing, {}, "box")

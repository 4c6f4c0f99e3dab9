"""Rows that lie elsewhere: copied into a folder of the user's alone, where the same promises hold, and told."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image

from audit.data.files import remote
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.errors import DataError


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return a store in memory with a folder of two images, empty of what others left."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    remote.fetched.cache_clear()
    for sex, red in (("f", 51), ("m", 255)):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
        system.pipe(f"/faces/{sex}/a.png", buffer.getvalue())
    system.pipe("/rows.csv", b"path,sex\nf/a.png,f\nm/a.png,m\n")
    yield system
    system.store.clear()
    remote.fetched.cache_clear()


def opened(address: str, **options: Any) -> LabelledData:
    return open_data(address, "audit", {"transform": "unit", "image_size": 8} | options)


def told(address: str, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        opened(address, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("memory")
def test_a_folder_and_a_table_elsewhere_are_read_as_here() -> None:
    for data in (
        opened("memory://faces", class_folders="sex"),
        opened("memory://rows.csv", image="path", data_root="memory://faces"),
    ):
        assert [round(255 * data.inputs[row].max().item()) for row in (0, 1)] == [51, 255]
        assert data.notes[-1] == "the rows were copied from memory:// to this machine for this run"
    assert data.name == "rows.csv"


@pytest.mark.usefixtures("memory")
def test_the_copy_is_its_owners_alone_and_made_once() -> None:
    copy = remote.fetched("memory://faces")
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert remote.fetched("memory://faces") == copy


def test_what_leaves_the_folder_or_does_not_fit_is_refused(memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nothing lies at memory://nowhere" in told("memory://nowhere", class_folders="sex")
    monkeypatch.setattr("audit.data.files.remote.MOST_FILES", 1)
    assert "in 2 files" in told("memory://faces", class_folders="sex")
    monkeypatch.undo()
    memory.store["/faces/../../secret.png"] = memory.store["/faces/f/a.png"]
    assert "a path out of the folder" in told("memory://faces", class_folders="sex")


def test_links_of_the_own_disk_are_not_followed_by_its_address(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(b"secret")
    (tmp_path / "faces/f").mkdir(parents=True)
    (tmp_path / "faces/f/a.png").symlink_to(tmp_path / "secret.png")
    assert "Nothing lies at file://" in told(f"file://{tmp_path}/faces", class_folders="sex")


@pytest.mark.parametrize(
    ("address", "fact"),
    [
        ("nosuch://bucket/faces", "Cannot read nosuch://bucket/faces: Protocol not known"),
        ("s3://me:secret@bucket/faces", "The address of s3://bucket/faces holds a password"),
        ("memory://faces::file:///secret", "is an address inside another"),
    ],
)
def test_an_address_that_cannot_be_read_is_told_without_its_secrets(address: str, fact: str) -> None:
    message = told(address, class_folders="sex")
    assert fact in message and "me:secret" not in message


def test_a_signature_of_an_address_is_not_shown() -> None:
    assert remote.without_secrets("https://x.org/a.csv?X-Signature=abc#d") == "https://x.org/a.csv"
    assert remote.without_secrets("abfs://user:key@host/a/b@c") == "abfs://host/a/b@c"
    assert not remote.is_remote("C://faces") and not remote.is_remote("own.py:rows") and remote.is_remote("s3://a/b")

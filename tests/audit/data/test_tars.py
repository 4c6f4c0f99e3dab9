"""Archives of WebDataset: a key is a row, nothing is unpacked, and what a stranger's archive declares is bounded."""

import io
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from audit.data.columns import Column
from audit.data.labelled import LabelledData, Part
from audit.data.sources.opening import open_data
from audit.errors import DataError, UnreadableError


def encoded(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, members: dict[str, bytes], mode: Any = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def sample(key: str, red: int, sex: str, **more: object) -> dict[str, bytes]:
    return {f"{key}.png": encoded(red), f"{key}.json": json.dumps({"sex": sex, **more}).encode()}


def opened(path: Path, part: Part = "audit", **options: Any) -> LabelledData:
    return open_data(str(path), part, {"transform": "unit", "image_size": 8} | options)


def told(path: Path, part: Part = "audit", **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        opened(path, part, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def seen(data: LabelledData) -> list[tuple[str, int]]:
    column = data.columns["sex"]
    assert isinstance(column, Column)
    reds = [round(255 * data.inputs[row].max().item()) for row in range(len(data))]
    return [(column.classes[code], red) for code, red in zip(column.codes, reds, strict=True)]


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_the_files_of_a_key_are_a_row_with_its_labels(
    tmp_path: Path, form: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tarfile.TarFile, "format", form)
    long = "in/" + "x" * 90
    rows = sample("a", 51, "f") | {"a.cls": b"1\n", "a.pyd": b"?"} | sample(long, 255, "m") | {f"{long}.cls": b"0"}
    data = opened(write(tmp_path / "rows.tar", rows))
    assert seen(data) == [("f", 51), ("m", 255)]
    assert list(data.columns) == ["sex", "cls"] and data.name == "rows.tar"
    assert "files of rows.tar were left out: .pyd" in data.notes


def test_the_names_of_archives_tell_the_part(tmp_path: Path) -> None:
    write(tmp_path / "train-0000.tar", sample("a", 51, "f"))
    write(tmp_path / "val-0000.tar", sample("a", 102, "m"))
    write(tmp_path / "test-0000.tar", sample("a", 153, "f"))
    assert seen(opened(tmp_path, "train")) == [("f", 51)]
    assert seen(opened(tmp_path)) == [("f", 153), ("m", 102)]
    write(tmp_path / "0001.tar", sample("a", 102, "m"))
    assert "No `split` column in 4 archives in" in told(tmp_path, "train")
    for place, split in enumerate(("train", "test")):
        write(tmp_path / f"own/{place}.tar", sample("a", 50 * place, "m", split=split))
    assert seen(opened(tmp_path / "own", "train")) == [("m", 0)]


def test_several_images_of_a_key_are_a_question(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.tar", sample("a", 51, "f") | {"a.seg.png": encoded(255)})
    assert "holds several files that a model may see: png, seg.png. Say which with --image" in told(path)
    assert seen(opened(path, image="seg.png")) == [("f", 255)]
    assert "has a file .jpg. Known: png, seg.png" in told(path, image="jpg")


def test_a_sample_without_an_image_is_left_out_and_one_without_a_label_is_missing(tmp_path: Path) -> None:
    rows = sample("a", 51, "f") | {"b.json": b'{"sex": "m"}', "c.png": encoded(1)}
    data = opened(write(tmp_path / "rows.tar", rows))
    assert data.columns["sex"].known.tolist() == [True, False]
    assert "1 samples of rows.tar without an image, a sound or a clip were left out" in data.notes
    assert "holds a label" in told(write(tmp_path / "bare.tar", {"a.png": encoded(1)}))
    assert "holds an image, a sound or a clip" in told(write(tmp_path / "none.tar", {"a.json": b"{}"}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_link_or_a_device_in_an_archive_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = write(tmp_path / "rows.tar", sample("a", 51, "f"))
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo("b.png")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    assert "'b.png' in it is a link, a device or the like" in told(path)


def test_a_name_that_leads_out_of_an_archive_is_a_key_and_no_path(tmp_path: Path) -> None:
    data = opened(write(tmp_path / "rows.tar", sample("../../secret", 51, "f")))
    assert seen(data) == [("f", 51)] and not (tmp_path.parent / "secret.png").exists()


def test_a_damaged_archive_is_told_in_one_line(tmp_path: Path) -> None:
    rows = sample("a", 51, "f")
    assert "is compressed, and its rows cannot be found one by one" in told(write(tmp_path / "z.tar", rows, "w:gz"))
    path = write(tmp_path / "rows.tar", rows)
    content = path.read_bytes()
    path.write_bytes(content[:700])
    assert "Cannot read" in told(path)
    path.write_bytes(b"no archive" * 100)
    assert "Cannot read" in told(path)
    assert "is not JSON" in told(write(path, rows | {"b.json": b"{"}))
    assert "'b.json' has 2.0 MB; 1.0 MB are read at most" in told(write(path, rows | {"b.json": b" " * 2_000_000}))
    data = opened(write(path, rows | {"b.png": b"no image", "b.json": b"{}"}))
    with pytest.raises(UnreadableError, match=r"b\.png in rows\.tar"):
        data.inputs[1]


def test_a_header_that_declares_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.tar"
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 40 * 2**30
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(41 * 2**30)  # of which the disk holds nothing
    assert "a header of it has 42.9 GB" in told(path)


@pytest.mark.parametrize("before", [{}, {"a.png": b""}])
def test_a_size_below_nothing_does_not_lead_back_for_ever(before: dict[str, bytes], tmp_path: Path) -> None:
    info = tarfile.TarInfo("b.png")
    info.size = -512
    path = write(tmp_path / "rows.tar", before)
    path.write_bytes(path.read_bytes().rstrip(b"\0").ljust(512 * len(before), b"\0") + info.tobuf(tarfile.GNU_FORMAT))
    assert "'b.png' in it has a negative size" in told(path)


def test_a_long_number_in_a_header_is_refused_in_a_moment(tmp_path: Path) -> None:
    with tarfile.open(path := tmp_path / "rows.tar", "w", format=tarfile.PAX_FORMAT, pax_headers={"x": "1" * 2**19}):
        pass
    begun = time.monotonic()
    assert "a header of it holds a number of more than 256 digits" in told(path)
    assert time.monotonic() - begun < 1


def test_an_archive_behind_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    outside = write(tmp_path / "secret.tar", sample("a", 51, "f"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own/train-0.tar").symlink_to(outside)
    assert "is a link to a file outside the folder" in told(tmp_path / "own")


def test_a_label_that_is_said_twice_is_refused_whichever_file_says_it(tmp_path: Path) -> None:
    rows = sample("0", 9, "m", cls="a")
    assert "'0.cls' says 'cls' of a sample again" in told(write(tmp_path / "a.tar", rows | {"0.cls": b"b"}))
    assert "a name occurs twice" in told(write(tmp_path / "b.tar", rows | {"0.json": b'{"sex":"m","sex":"f"}'}))
    again = write(tmp_path / "c.tar", rows)
    write(again, {"0.json": b'{"sex":"f"}'}, "a")
    assert "'0.json' says 'sex' of a sample again" in told(again)


def test_a_label_of_binary_numbers_is_refused(tmp_path: Path) -> None:
    rows = sample("0", 9, "m") | {"0.cls": bytes(8)}
    assert "'0.cls' in it holds numbers in binary" in told(write(tmp_path / "a.tar", rows))


def test_a_part_is_told_in_any_letter_case_and_hidden_files_are_no_samples(tmp_path: Path) -> None:
    hidden = {"._0.png": b"\0\5", "._0.json": b"\0\xff", ".DS_Store": b""}
    rows = sample("0", 9, "m", Split="train") | sample("1", 90, "f", Split="test") | hidden
    data = opened(write(tmp_path / "a.tar", rows))
    assert seen(data) == [("f", 90)]
    assert "files of a.tar were left out: hidden ones" in data.notes

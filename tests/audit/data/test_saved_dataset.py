"""Folders that save_to_disk wrote: rows, classes by name and parts, and no file outside of the folder."""

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from audit.data.columns import Column
from audit.data.labelled import LabelledData, Part
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnknownNameError

REDS = [51, 102, 153, 204]


def encoded(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, reds: list[int], name: str = "data.arrow", **more: list[str]) -> Path:
    """Write what save_to_disk writes, without the package, with more columns."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "image": pa.array([{"bytes": encoded(red), "path": None} for red in reds]),
            "sex": [place % 2 for place in range(len(reds))],
            **more,
        }
    )
    with pa.OSFile(str(folder / Path(name).name), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    features = {"image": {"_type": "Image"}, "sex": {"_type": "ClassLabel", "names": ["m", "f"]}}
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def opened(path: Path, part: Part = "audit", **options: Any) -> LabelledData:
    return open_data(str(path), part, {"transform": "unit", "image_size": 8} | options)


def told(error: type[IreneError], path: Path, **options: Any) -> str:
    with pytest.raises(error) as caught:
        opened(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def seen(data: LabelledData) -> list[tuple[str, int]]:
    column = data.columns["sex"]
    assert isinstance(column, Column)
    reds = [round(255 * data.inputs[row].max().item()) for row in range(len(data))]
    return [(column.classes[code], red) for code, red in zip(column.codes, reds, strict=True)]


def test_rows_come_with_the_names_of_their_classes_in_the_order_of_the_data_set(tmp_path: Path) -> None:
    data = opened(write(tmp_path / "faces", REDS))
    assert seen(data) == [("m", 51), ("f", 102), ("m", 153), ("f", 204)]
    assert data.columns["sex"].classes == ("m", "f")  # type: ignore[union-attr]
    assert data.options["image"] == "image" and data.name == "faces"


def test_a_part_is_told_in_any_letter_case(tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", REDS, Split=["train", "test", "train", "test"])
    assert seen(opened(folder)) == [("f", 102), ("f", 204)]
    assert "two of its columns have one name" in told(
        DataError, write(tmp_path / "two", REDS, Split=["train"] * 4, split=["test"] * 4)
    )


def test_what_the_package_itself_saved_is_read_with_its_indices_and_parts(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), sex=datasets.ClassLabel(names=["m", "f"]))
    cells = [{"bytes": encoded(red), "path": None} for red in REDS]
    rows = datasets.Dataset.from_dict({"image": cells, "sex": [0, 1, 0, 1]}, features=features)
    some = datasets.DatasetDict(train=rows.select([0]), validation=rows.select([3, 1]), test=rows.select([2]))
    some.save_to_disk(tmp_path / "faces")
    assert seen(opened(tmp_path / "faces", "train")) == [("m", 51)]
    assert seen(opened(tmp_path / "faces")) == [("f", 204), ("f", 102), ("m", 153)]
    rows.select([3, 1]).save_to_disk(tmp_path / "two")
    assert seen(opened(tmp_path / "two")) == [("f", 204), ("f", 102)]
    rows.remove_columns("image").save_to_disk(tmp_path / "none")
    assert "No column of none holds images, sounds or clips. Numbers are read from a table" in told(
        DataError, tmp_path / "none"
    )


@pytest.mark.parametrize("name", ["../data.arrow", "/etc/passwd", "..", "a\\..\\b"])
def test_a_saved_folder_that_names_files_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path / "faces", REDS)
    (tmp_path / "faces/state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    assert "outside its folder" in told(DataError, tmp_path / "faces")
    (tmp_path / "both").mkdir()
    (tmp_path / "both/dataset_dict.json").write_text(json.dumps({"splits": ["../faces"]}))
    assert "outside its folder" in told(DataError, tmp_path / "both")


def test_a_damaged_saved_folder_is_told_in_one_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", REDS)
    assert "Did you mean 'image'" in told(UnknownNameError, folder, image="imag")
    content = (folder / "data.arrow").read_bytes()
    for broken in (b"", b"no arrow", content[:300], content[: len(content) // 2]):
        (folder / "data.arrow").write_bytes(broken)
        assert "Cannot read" in told(DataError, folder)
    for broken in (b"[]", b"{", b"[" * 100_000):
        (folder / "state.json").write_bytes(broken)
        assert "Save the data set again" in told(DataError, folder)
    (folder / "state.json").unlink()
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["trian"]}))
    assert "Did you mean 'train'" in told(UnknownNameError, folder)


def test_a_data_set_of_the_hub_is_told_how_to_be_saved() -> None:
    with pytest.raises(DataError, match=r"not downloaded by itself.*load_dataset\('org/name', split='test'\)") as told:
        open_data("hf:org/name", "audit", {})
    assert "\n" not in str(told.value)


def rewrite(folder: Path, cells: pa.Array, **options: Any) -> Path:
    """Put other rows into a folder."""
    table, how = pa.table({"sex": cells}), pa.ipc.IpcWriteOptions(**options)
    with (
        pa.OSFile(str(folder / "data.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema, options=how) as rows,
    ):
        rows.write_table(table)
    return folder


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_rows_are_refused_before_they_are_unfolded(codec: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "faces", REDS)
    for cells in (pa.array([0] * 9), pa.array(["f"] * 9).dictionary_encode()):
        assert "its rows are compressed" in told(DataError, rewrite(folder, cells, compression=codec))


@pytest.mark.parametrize("kind", ["classes in lists", "runs", "views"])
def test_a_text_that_cells_name_many_times_is_refused_unread(kind: str, tmp_path: Path) -> None:
    codes = pa.array([0] * 9, pa.int8())
    classes = pa.DictionaryArray.from_arrays(codes, ["long"])
    cells = {
        "classes in lists": pa.ListArray.from_arrays(pa.array(range(10), pa.int32()), classes),
        "runs": pa.RunEndEncodedArray.from_arrays([9], ["long"]),
        "views": pa.array(["long"] * 9, pa.string_view()),
    }[kind]
    folder = rewrite(write(tmp_path / "faces", REDS), cells)
    assert "column 'sex' of it can name one text many times" in told(DataError, folder)


def test_rows_of_no_bytes_are_counted_before_room_is_made_for_them(tmp_path: Path) -> None:
    folder = rewrite(write(tmp_path / "faces", REDS), pa.nulls(2**31 - 1))
    assert "declares 17.2 GB" in told(DataError, folder)

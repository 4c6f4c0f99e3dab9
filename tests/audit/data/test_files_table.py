"""Tables that name or hold a file for each row: inside their folder alone, and to the same pixels as the folder."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnknownNameError, UnreadableError


def encoded(red: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


ROWS = {"path": ["a.png", "in/b.png", "c.png"], "sex": ["f", "m", "f"], "split": ["train", "test", "test"]}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    (tmp_path / "images/in").mkdir(parents=True)
    for name, red in zip(ROWS["path"], (51, 102, 255), strict=True):
        (tmp_path / "images" / name).write_bytes(encoded(red))
    return tmp_path / "images"


def opened(path: Path, **options: Any) -> LabelledData:
    return open_data(str(path), "audit", {"transform": "unit", "image_size": 8} | options)


def told(error: type[IreneError], path: Path, **options: Any) -> str:
    with pytest.raises(error) as caught:
        opened(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def reds(data: LabelledData) -> list[int]:
    return [round(255 * data.inputs[row].max().item()) for row in range(len(data))]


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_a_column_of_paths_names_files_below_the_data_root(images: Path, tmp_path: Path, kind: str) -> None:
    path, table = tmp_path / f"rows.{kind}", pd.DataFrame(ROWS)
    if kind == "parquet":
        table.to_parquet(path)
    elif kind == "jsonl":
        table.to_json(path, orient="records", lines=True)
    else:
        table.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    data = opened(path, image="path", data_root=str(images))
    assert (reds(data), data.name, list(data.columns)) == ([102, 255], f"rows.{kind}", ["sex", "split"])
    assert data.options == {"part": "audit", "transform": "unit", "image_size": 8, "image": "path"}
    assert "names 'in/b.png', which is no file in" in told(DataError, path, image="path")


def test_paths_start_from_the_folder_of_the_table_and_may_be_absolute_inside_of_it(images: Path) -> None:
    rows = ROWS | {"path": [str(images / name) for name in ROWS["path"]]}
    pd.DataFrame(rows).to_csv(images / "rows.csv", index=False)
    assert reds(opened(images / "rows.csv", image="path")) == [102, 255]


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "in/../../a.png", "https://x/a.png/../../../a.png"])
def test_a_path_out_of_the_data_root_is_refused(images: Path, name: str) -> None:
    pd.DataFrame(ROWS | {"path": ["a.png", name, "c.png"]}).to_csv(images / "rows.csv", index=False)
    assert "outside the folder" in told(DataError, images / "rows.csv", image="path")


def test_a_link_out_of_the_data_root_is_refused(images: Path, tmp_path: Path) -> None:
    (images / "c.png").rename(tmp_path / "secret.png")
    (images / "c.png").symlink_to(tmp_path / "secret.png")
    pd.DataFrame(ROWS).to_csv(images / "rows.csv", index=False)
    assert "is a link to a file outside" in told(DataError, images / "rows.csv", image="path")
    assert reds(opened(images / "rows.csv", image="path", follow_links=True)) == [102, 255]


@pytest.mark.parametrize("is_struct", [True, False])
def test_bytes_in_parquet_are_the_same_rows_as_their_files(images: Path, tmp_path: Path, is_struct: bool) -> None:
    held = [(images / name).read_bytes() for name in ROWS["path"]]
    cells: list[object] = [{"bytes": one, "path": "x.png"} for one in held] if is_struct else list(held)
    pd.DataFrame({"image": cells, "sex": ROWS["sex"], "split": ROWS["split"]}).to_parquet(tmp_path / "rows.parquet")
    data = opened(tmp_path / "rows.parquet", image="image")
    assert (reds(data), list(data.columns)) == ([102, 255], ["sex", "split"])
    pd.DataFrame(ROWS).to_csv(images / "rows.csv", index=False)
    named = opened(images / "rows.csv", image="path")
    assert all(torch.equal(data.inputs[row], named.inputs[row]) for row in range(2))


def test_a_folder_of_shards_is_one_table_whose_names_tell_the_part(tmp_path: Path) -> None:
    for name, red, sex in (("train-00000-of-00001", 51, "f"), ("test-00000-of-00002", 102, "m"), ("test-1", 255, "f")):
        (tmp_path / "hub/data").mkdir(parents=True, exist_ok=True)
        cells = [{"bytes": encoded(red), "path": "x.png"}]
        pd.DataFrame({"image": cells, "sex": [sex]}).to_parquet(tmp_path / f"hub/data/{name}.parquet")
    data = opened(tmp_path / "hub", image="image")
    assert (reds(data), data.name) == ([102, 255], "hub")
    train = open_data(str(tmp_path / "hub"), "train", {"transform": "unit", "image_size": 8, "image": "image"})
    assert reds(train) == [51]
    assert "Which column of the tables in hub the model sees was not said. Name it" in told(DataError, tmp_path / "hub")
    assert "Not every table in hub holds images" in told(DataError, tmp_path / "hub", image="sex")


def test_a_row_without_bytes_is_unreadable_and_one_that_names_a_file_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"image": [encoded(1), None, b"no image"], "sex": list("fmf")}).to_parquet(path)
    data = opened(path, image="image")
    for row in (1, 2):
        with pytest.raises(UnreadableError, match=rf"Cannot read the image row {row + 1} of rows\.parquet"):
            data.inputs[row]
    cells = pa.array(
        [{"bytes": None, "path": "/etc/passwd"}] * 2, pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    )
    pq.write_table(pa.table({"image": cells, "sex": ["f", "m"]}), path)
    assert "names the file '/etc/passwd' and does not hold it" in told(DataError, path, image="image")
    path.write_bytes(b"PAR1 no parquet")
    assert "Cannot read" in told(DataError, path, image="image")


def test_a_value_that_a_file_names_many_times_is_refused_before_it_fills_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.parquet"
    cells = pa.StructArray.from_arrays([pa.array([bytes(2**18)] * 200)], ["bytes"])
    pq.write_table(pa.table({"image": cells, "sex": ["f", "m"] * 100}), path)
    assert path.stat().st_size < 2**17
    monkeypatch.setattr("audit.file_limits.FREELY", 2**22)
    assert "and declares" in told(DataError, path, image="image")


def test_a_table_of_paths_alone_is_told_how_to_be_seen(images: Path) -> None:
    pd.DataFrame(ROWS).to_csv(images / "rows.csv", index=False)
    with pytest.raises(DataError, match=r"Column 'path' of rows\.csv looks like files of images\. .* say --image path"):
        open_data(str(images / "rows.csv"), "audit", {})
    assert "--image-size is for images, sounds or clips, and no column of rows.csv is named" in told(
        DataError, images / "rows.csv", transform="unit"
    )
    assert "column of rows.csv 'pth'" in told(UnknownNameError, images / "rows.csv", image="pth")
    assert "Both an image and an audio column" in told(DataError, images / "rows.csv", image="path", audio="path")
    assert "is no folder" in told(DataError, images / "rows.csv", image="path", data_root="nowhere")


def test_a_size_that_nobody_named_is_told_where_images_have_another(images: Path) -> None:
    def notes(**options: Any) -> list[str]:
        rows = open_data(str(images / "rows.csv"), "audit", {"transform": "unit", "image": "path"} | options)
        return [note for note in rows.notes if "--image-size" in note]

    pd.DataFrame(ROWS).to_csv(images / "rows.csv", index=False)
    assert notes(image_size=8) == notes(image_size=224) == []
    (note,) = notes()
    assert note.startswith(
        "images were scaled to 224 × 224 pixels, since --image-size was not given; the smallest has 8 × 8"
    )
    for name in ROWS["path"]:
        Image.new("RGB", (300, 224)).save(images / name)
    assert notes() == []


def test_a_table_of_texts_is_told_how_to_be_read(tmp_path: Path) -> None:
    texts = ["she is very glad today", "he was sad", "not today"]
    pd.DataFrame({"sex": ["f", "m", "f"], "said": texts}).to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(DataError, match=r"Column 'said' of rows\.csv looks like texts\. .* say --text said"):
        open_data(str(tmp_path / "rows.csv"), "audit", {})

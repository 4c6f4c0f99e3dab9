"""A folder of images: rows by metadata, transforms to the pixel, parts by `split`, and nothing outside the folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from audit.data.columns import Column, Quantity
from audit.data.labelled import LabelledData, Part
from audit.data.sources import image_folder
from audit.data.sources.opening import open_data
from audit.data.transforms import image_transform, known_transform
from audit.errors import DataError, IreneError, UnknownNameError, UnreadableError

ROWS: list[dict[str, Any]] = [
    {"file_name": "a.png", "sex": "f", "age": 31.5, "split": "train"},
    {"file_name": "in/b.png", "sex": "m", "age": None, "split": "validation"},
    {"file_name": "c.png", "sex": "?", "age": 20.0, "split": "Test"},
]
RED = [51, 102, 255]
"""Red of each image in 0–255; green and blue are 0."""


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three one-coloured images with metadata.csv."""
    folder = tmp_path / "faces"
    (folder / "in").mkdir(parents=True)
    for row, red in zip(ROWS, RED, strict=True):
        Image.new("RGB", (20, 20), (red, 0, 0)).save(folder / str(row["file_name"]))
    write(folder, ROWS)
    return folder


def write(folder: Path, rows: list[dict[str, Any]], kind: str = "csv") -> None:
    for old in folder.glob("metadata.*"):
        old.unlink()
    path, table = folder / f"metadata.{kind}", pd.DataFrame(rows)
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def opened(folder: Path, part: Part = "audit", **options: Any) -> LabelledData:
    return open_data(str(folder), part, {"transform": "unit", "image_size": 8} | options)


def told(error: type[IreneError], folder: Path, part: Part = "audit", **options: Any) -> str:
    with pytest.raises(error) as caught:
        opened(folder, part, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_come_with_their_part_labels_and_pixels(faces: Path, kind: str) -> None:
    write(faces, ROWS, kind)
    train, audit = opened(faces, "train"), opened(faces)
    assert (len(train), len(audit), audit.name, audit.notes) == (1, 2, "faces", ())
    assert list(audit.columns) == ["sex", "age", "split"]
    sex, age = audit.columns["sex"], audit.columns["age"]
    assert isinstance(sex, Column) and isinstance(age, Quantity)
    assert (sex.codes.tolist(), sex.classes) == ([1, -1], ("f", "m")), "classes are the same in both parts"
    np.testing.assert_array_equal(age.values, [np.nan, 20])
    assert audit.inputs[1].shape == (3, 8, 8)
    assert [data.inputs[row][0].mean().item() for data, row in ((train, 0), (audit, 0), (audit, 1))] == pytest.approx(
        [red / 255 for red in RED]
    )
    assert audit.options == {"part": "audit", "transform": "unit", "image_size": 8}


def test_without_a_split_all_rows_are_audited_and_none_may_train(faces: Path) -> None:
    write(faces, [{key: value for key, value in row.items() if key != "split"} for row in ROWS])
    data = opened(faces, classes="age", continuous=[])
    assert len(data) == 3
    assert ["no `split` column in faces/metadata.csv" in note for note in data.notes] == [True]
    assert data.options["classes"] == "age"
    assert "judged on. Add one" in told(DataError, faces, "train")


@pytest.mark.parametrize(("name", "of_red"), [("unit", 0.2), ("half", -0.6), ("imagenet", (0.2 - 0.485) / 0.229)])
def test_a_transform_scales_as_its_name_says(name: str, of_red: float) -> None:
    made = image_transform(name, image_size=6)
    x = made.apply(Image.new("RGB", (30, 20), (51, 0, 0)))
    assert (x.shape, x.dtype) == ((3, 6, 6), torch.float32)
    assert x[0].mean().item() == pytest.approx(of_red, abs=1e-5)


def test_the_centre_is_kept_and_the_edges_of_the_longer_side_are_cut() -> None:
    image = Image.new("RGB", (40, 10), (255, 0, 0))
    image.paste((0, 255, 0), (15, 0, 25, 10))
    x = image_transform("unit", image_size=10).apply(image)
    assert x[1].mean() == 1
    assert x[0].mean() == 0


def test_the_published_transform_of_an_architecture_is_known_and_opens(faces: Path) -> None:
    known = known_transform("torchvision.models:resnet50")
    assert known == "torchvision.models.resnet:ResNet50_Weights.IMAGENET1K_V2.transforms"
    data = open_data(str(faces), "audit", {"transform": "torchvision.models:ResNet50_Weights.DEFAULT.transforms"})
    assert data.inputs[0].shape == (3, 224, 224)
    assert data.options["transform"] == known.replace("models.resnet:", "models:"), "DEFAULT may change, the record not"
    assert data.options["image_size"] is None
    for unknown in ("torchvision.models:resnet51", "small-convnet", "own.py:net", "own.resnet:resnet50"):
        assert known_transform(unknown) is None


def test_published_weights_that_are_none_are_told_in_one_line(faces: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown transform in torchvision\.models 'DEFAULT'"):
        open_data(str(faces), "audit", {"transform": "torchvision.models:resnet50.DEFAULT.transforms"})


def test_a_published_transform_of_timm_opens() -> None:
    pytest.importorskip("timm")
    known = known_transform("timm:resnet18")
    assert known == "timm:resnet18"
    made = image_transform(known)
    assert made.name.startswith("timm:resnet18.")
    assert made.apply(Image.new("RGB", (300, 260))).shape == (3, 224, 224)
    with pytest.raises(DataError, match="timm publishes no transform for 'resnot'"):
        image_transform("timm:resnot")


def test_a_mistaken_transform_is_told(faces: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "import torch\ndef number():\n    return 3\ndef bytes_():\n    return lambda i: torch.zeros(3, 2, 2).byte()\n"
        "def ones():\n    return lambda image: torch.ones(3, 2, 2)\n"
    )
    with pytest.raises(DataError, match=r"Give imagenet, half or unit, or package.module:factory"):
        open_data(str(faces), "audit", {})
    assert "Did you mean 'imagenet'" in told(UnknownNameError, faces, transform="imagnet")
    for name in ("torchvision.models:resnet18.DEFAULT.x", f"{own}:number.DEFAULT.x"):
        assert "'DEFAULT'" in told(UnknownNameError, faces, transform=name, image_size=None)
    assert "size of its own" in told(DataError, faces, transform=f"{own}:ones")
    assert "image_size is 0" in told(DataError, faces, image_size=0)
    assert "returned a int" in told(DataError, faces, transform=f"{own}:number", image_size=None)
    assert opened(faces, transform=f"{own}:ones", image_size=None).inputs[0].mean() == 1
    with pytest.raises(DataError, match=r"made a torch.uint8 tensor"):
        opened(faces, transform=f"{own}:bytes_", image_size=None).inputs[0]


def test_a_broken_missing_or_programmed_image_is_unreadable_when_it_is_read(faces: Path) -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    data = opened(faces)
    for content in (b"", b"no image", (faces / "c.png").read_bytes()[:60], postscript):
        (faces / "c.png").write_bytes(content)
        with pytest.raises(UnreadableError, match=r"c\.png") as caught:
            data.inputs[1]
        assert "\n" not in str(caught.value)
    (faces / "c.png").unlink()
    with pytest.raises(UnreadableError, match=r"c\.png"):
        data.inputs[1]
    assert data.inputs[0].isfinite().all()


@pytest.mark.parametrize("name", ["../x.png", "in/../../x.png", "/etc/x.png"])
def test_an_image_outside_the_folder_is_refused_by_name(faces: Path, name: str) -> None:
    write(faces, [ROWS[0], ROWS[1] | {"file_name": name}])
    assert f"Row 2 of {faces / 'metadata.csv'} names {name!r}, outside" in told(DataError, faces)


def test_paths_of_windows_are_read_where_the_file_is_there(faces: Path) -> None:
    write(faces, [ROWS[0], ROWS[1] | {"file_name": "in\\b.png"}, ROWS[2]])
    assert opened(faces).inputs[0][0].mean().item() == pytest.approx(RED[1] / 255)
    (faces / "in\\b.png").write_bytes((faces / "c.png").read_bytes())
    assert opened(faces).inputs[0][0].mean().item() == 1, "a file of that very name goes first"
    for outside in ("..\\a.png", "C:\\faces\\a.png", "in\\..\\..\\a.png"):
        write(faces, [ROWS[0], ROWS[1] | {"file_name": outside}])
        assert f"Row 2 of {faces / 'metadata.csv'} names {outside!r}, outside" in told(DataError, faces)


def test_metadata_of_other_images_names_file_and_row(faces: Path) -> None:
    write(faces, [ROWS[0], *(row | {"file_name": f"img/{row['file_name']}"} for row in ROWS[1:])])
    assert (
        f"Row 2 of {faces / 'metadata.csv'} names 'img/in/b.png', which is no file in {faces}, and neither is any"
        in told(DataError, faces)
    )
    write(faces, [*ROWS, ROWS[2] | {"file_name": "gone.png"}])
    with pytest.raises(UnreadableError, match=r"gone\.png"):
        opened(faces).inputs[2]


def test_file_names_stay_as_they_are_written(faces: Path) -> None:
    for name in ("007", "NA", "None", "1.50"):
        (faces / name).write_bytes((faces / "c.png").read_bytes())
    rows = [ROWS[2] | {"File_Name ": name} for name in ("007", "NA", "None", "1.50")]
    write(faces, [{key: value for key, value in row.items() if key != "file_name"} for row in rows])
    data = opened(faces)
    assert [data.inputs[row].max().item() for row in range(4)] == [1] * 4
    assert data.notes[-1] == "columns of faces/metadata.csv were read by other names: 'File_Name ' as 'file_name'"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_an_image_is_the_file_of_that_very_name_and_else_of_one_that_looks_alike(faces: Path, kind: str) -> None:
    composed, decomposed = "in/caf\u00e9.png", "in/cafe\u0301.png"
    pictures = [(faces / str(row["file_name"])).read_bytes() for row in ROWS]

    def seen(*written: str) -> list[float]:
        write(faces, [ROWS[2] | {"file_name": name} for name in written], kind)
        data = opened(faces)
        return [round(255 * data.inputs[row].max().item()) for row in range(len(data))]

    for name, picture in zip((composed, decomposed, "a.png ", "b.png"), [*pictures, pictures[0]], strict=True):
        (faces / name).write_bytes(picture)
    assert seen(composed, decomposed, "a.png ", "a.png", "b.png  ") == [RED[0], RED[1], RED[2], RED[0], RED[0]]
    (faces / composed).unlink()
    assert seen(composed, f"{decomposed} ", composed.replace("/", "\\")) == [RED[1]] * 3
    (faces / decomposed).rename(faces / composed)
    assert seen(decomposed, f"{composed}\u200b") == [RED[1]] * 2
    write(faces, [ROWS[0], ROWS[1] | {"file_name": "\u200b/etc/x.png"}], kind)
    assert "names '/etc/x.png', outside the folder" in told(DataError, faces)
    write(faces, [ROWS[0], ROWS[1] | {"file_name": " \u200b"}], kind)
    assert "Row 2 of" in told(DataError, faces)
    write(faces, [ROWS[2] | {"file_name": "x" * 5000}], kind)
    assert "which is no file in" in told(DataError, faces)


def test_mistaken_metadata_is_told(faces: Path) -> None:
    write(faces, [ROWS[0] | {"split": "tset"}])
    assert "Did you mean 'test'? Known: train, validation, val, test, audit" in told(UnknownNameError, faces)
    write(faces, [ROWS[0] | {"split": None}, ROWS[1]])
    assert "Row 1 of faces/metadata.csv has no `split`" in told(DataError, faces)
    write(faces, ROWS[:1])
    assert "No row of faces/metadata.csv has anything but `train`" in told(DataError, faces)
    write(faces, [ROWS[1]])
    assert "has `train` as its `split`" in told(DataError, faces, "train")
    write(faces, [ROWS[0], ROWS[1] | {"file_name": None}])
    assert "Row 2 of" in told(DataError, faces)
    write(faces, [{"picture": "a.png"}])
    assert "No `file_name` column in" in told(DataError, faces)
    write(faces, [{"image": "a.png"}])
    assert "holds nothing beside 'image'. Add a column of labels" in told(DataError, faces)
    assert "option of" in told(UnknownNameError, faces, rho=0.1)
    assert "column of faces/metadata.csv 'agee'" in told(UnknownNameError, named(faces), continuous="agee")


def named(folder: Path) -> Path:
    write(folder, ROWS)
    return folder


def test_a_folder_without_one_metadata_file_or_that_is_not_there_is_told(faces: Path, tmp_path: Path) -> None:
    (faces / "metadata.jsonl").write_text("{}\n")
    assert "both metadata.csv and metadata.jsonl" in told(DataError, faces)
    assert "No metadata.csv, .jsonl or .parquet in" in told(DataError, faces / "in")
    assert "does not exist. Give a folder that holds metadata.csv" in told(DataError, tmp_path / "fases")
    assert "is no table or folder" in told(DataError, faces / "a.png")


def folder_with(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "metadata.csv").write_text(f"file_name,sex\n{name},f\n")
    return folder


def test_an_image_behind_a_link_out_of_the_folder_is_seen_with_the_option_alone(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.mkdir()
    Image.new("RGB", (3, 3)).save(outside / "x.png")
    own = folder_with(tmp_path / "own", "x.png")
    (own / "x.png").symlink_to(outside / "x.png")
    with pytest.raises(DataError, match=r"'x\.png' in .* is a link to a file outside the folder.*--follow-links"):
        image_folder.load(own, "audit", transform="unit")
    data = image_folder.load(own, "audit", transform="unit", follow_links=True)
    assert data.inputs[0].shape[0] == 3
    assert "1 images are links to files outside own" in data.notes
    folder_with(tmp_path / "own", "inner/x.png")
    (own / "inner").symlink_to(outside)
    with pytest.raises(DataError, match="outside the folder"):
        image_folder.load(own, "audit", transform="unit")


def test_metadata_behind_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    own = folder_with(tmp_path / "own", "x.png")
    (own / "metadata.csv").rename(tmp_path / "secret.csv")
    (own / "metadata.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataError, match=r"'metadata\.csv' in .* is a link"):
        image_folder.load(own, "audit", transform="unit")


def test_a_folder_that_is_a_link_itself_and_links_inside_it_are_read(tmp_path: Path) -> None:
    own = folder_with(tmp_path / "own", "x.png")
    Image.new("RGB", (3, 3)).save(own / "y.png")
    (own / "x.png").symlink_to("y.png")
    (tmp_path / "link").symlink_to(own)
    data = image_folder.load(tmp_path / "link", "audit", transform="unit")
    assert data.inputs[0].shape[0] == 3 and not any("links" in note for note in data.notes)


def test_images_of_which_the_ends_are_cut_off_are_counted_with_the_share(tmp_path: Path) -> None:
    wide = np.full((32, 200, 3), 128, dtype=np.uint8)
    wide[:, :30] = wide[:, -30:] = 255
    names = [f"{place}.png" for place in range(24)]
    for place, name in enumerate(names):
        Image.fromarray(wide if place < 12 else wide[:, 60:92]).save(tmp_path / name)
    write(tmp_path, [{"file_name": name, "sex": "fm"[place % 2]} for place, name in enumerate(names)])
    for transform in ("unit", "imagenet", "half"):
        data = opened(tmp_path, transform=transform, image_size=32)
        (told,) = [note for note in data.notes if "no squares" in note]
        assert told.startswith(
            "12 of 24 images are no squares, and the centre square alone was seen: 84% of the pixels"
        )
        assert data.inputs[0].unique().numel() <= 3, "what stands at the ends is gone"
    write(tmp_path, [{"file_name": name, "sex": "fm"[place % 2]} for place, name in enumerate(names[12:])])
    assert not [note for note in opened(tmp_path, image_size=32).notes if "no squares" in note]
    write(tmp_path, [{"file_name": name, "sex": "fm"[place % 2]} for place, name in enumerate(names[11:])])
    assert any(note.startswith("some images are no squares") for note in opened(tmp_path, image_size=32).notes)


def test_an_image_that_lies_on_its_side_is_no_square_either_way(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    Image.new("RGB", (30, 60)).save(tmp_path / "a.jpg", exif=exif)
    write(tmp_path, [{"file_name": "a.jpg", "sex": "f"}])
    notes = opened(tmp_path).notes
    assert any(note.startswith("the images are no squares") and "50% of the pixels" in note for note in notes)

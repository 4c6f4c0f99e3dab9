"""Folders as people keep them: a folder a class, train and test, other names for file_name; the rest is asked."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from audit.data.columns import Column, Quantity
from audit.data.labelled import LabelledData, Part
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnknownNameError


def picture(path: Path, red: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (red, 0, 0)).save(path)


def opened(folder: Path, part: Part = "audit", **options: Any) -> LabelledData:
    return open_data(str(folder), part, {"transform": "unit", "image_size": 8} | options)


def told(error: type[IreneError], folder: Path, part: Part = "audit", **options: Any) -> str:
    with pytest.raises(error) as caught:
        opened(folder, part, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def classes_of(data: LabelledData, name: str) -> list[str]:
    column = data.columns[name]
    assert isinstance(column, Column)
    return [column.classes[code] for code in column.codes]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    for sex, name, red in (("f", "a.png", 51), ("f", "sub/b.JPG", 102), ("m", "c.png", 255)):
        picture(tmp_path / "faces" / sex / name, red)
    return tmp_path / "faces"


def test_the_folder_that_a_file_lies_in_is_its_class(faces: Path) -> None:
    for noise in ("f/notes.txt", ".DS_Store", "m/.hidden.png", "top.png"):
        (faces / noise).write_text("no image")
    data = opened(faces, class_folders="sex")
    assert classes_of(data, "sex") == ["f", "f", "m"]
    assert [round(255 * data.inputs[row].max().item()) for row in (0, 2)] == [51, 255]
    assert data.notes[:2] == (
        "sex: the names of the folders in faces",
        "2 files of faces were left out, for they are no images, sounds or clips in such folders",
    )
    assert "no folders `train` and `test` in faces: all rows were audited" in data.notes[2]
    assert "Make them, with the rows that it may train on below `train`" in told(
        DataError, faces, "train", class_folders="sex"
    )
    assert "If its folders f, m are classes, name the column that they are of: --class-folders" in told(
        DataError, faces
    )


def test_folders_named_by_many_numbers_are_classes_unless_they_are_said_to_be_a_quantity(tmp_path: Path) -> None:
    for age in range(30):
        picture(tmp_path / "ages" / str(age) / "a.png")
    data = opened(tmp_path / "ages", class_folders="age")
    assert classes_of(data, "age") == sorted(str(age) for age in range(30))
    numbers = opened(tmp_path / "ages", class_folders="age", continuous="age").columns["age"]
    assert isinstance(numbers, Quantity) and sorted(numbers.values) == list(range(30))


def test_folders_in_folders_are_a_column_each(tmp_path: Path) -> None:
    for name in ("f/old/a.png", "f/young/b.png", "m/old/c.png"):
        picture(tmp_path / name)
    data = opened(tmp_path, class_folders="sex,age")
    assert classes_of(data, "sex") == ["f", "f", "m"]
    assert classes_of(data, "age") == ["old", "young", "old"]
    assert "that are 3 deep, one for each of a, b, c" in told(DataError, tmp_path, class_folders="a,b,c")


def test_classes_have_the_order_that_torchvision_gives_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    for name in ("2", "10", "1", "B", "a"):
        picture(tmp_path / name / "x.png")
    column = opened(tmp_path, class_folders="digit").columns["digit"]
    assert isinstance(column, Column)
    assert list(column.classes) == datasets.ImageFolder(tmp_path).classes == ["1", "10", "2", "B", "a"]


@pytest.mark.parametrize("names", [("train", "test"), ("Train", "val"), ("training", "dev"), ("train", "audit")])
def test_folders_of_parts_are_the_parts_and_classes_are_the_same_in_both(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    for name, classes in zip(names, ("ab", "bc"), strict=True):
        for one in classes:
            picture(tmp_path / name / one / "x.png")
    train, audit = (opened(tmp_path, part, class_folders="v") for part in ("train", "audit"))
    assert (classes_of(train, "v"), classes_of(audit, "v")) == (["a", "b"], ["b", "c"])
    assert train.columns["v"].classes == audit.columns["v"].classes == ("a", "b", "c")  # type: ignore[union-attr]
    assert any(f"rows of {names[0]} are `train`" in note and f"rows of {names[1]} are" in note for note in audit.notes)
    assert audit.inputs[1].shape == (3, 8, 8)


def test_parts_may_each_have_metadata_and_validation_is_for_attackers_too(tmp_path: Path) -> None:
    for name, sex in (("train", "f"), ("val", "m"), ("test", "f")):
        picture(tmp_path / name / "x.png")
        (tmp_path / name / "metadata.csv").write_text(f"file_name,sex\nx.png,{sex}\n")
    assert classes_of(opened(tmp_path), "sex") == ["f", "m"]
    assert classes_of(opened(tmp_path, "train"), "sex") == ["f"]
    (tmp_path / "val/metadata.csv").write_text("file_name,sex,split\nx.png,m,train\n")
    assert "has a column `split`, and its place says another" in told(DataError, tmp_path)
    (tmp_path / "val/metadata.csv").write_text("file_name,sx\nx.png,m\n")
    assert "differ in the column 'sex'" in told(DataError, tmp_path)


def test_folders_that_may_be_classes_or_parts_are_asked_about(tmp_path: Path) -> None:
    for name in ("train", "car", "bus"):
        picture(tmp_path / name / "x.png")
    assert classes_of(opened(tmp_path, class_folders="vehicle"), "vehicle") == ["bus", "car", "train"]
    picture(tmp_path / "test" / "x.png")
    assert "whether these are classes or parts cannot be told" in told(DataError, tmp_path, class_folders="vehicle")


def test_class_folders_beside_metadata_are_refused(faces: Path) -> None:
    (faces / "metadata.csv").write_text("file_name,sex\nf/a.png,f\n")
    assert "says the labels, and --class-folders that folders do" in told(DataError, faces, class_folders="sex")


def test_a_class_or_a_part_behind_a_link_out_of_the_folder_is_not_entered(faces: Path, tmp_path: Path) -> None:
    picture(tmp_path / "secret/x.png")
    (faces / "n").symlink_to(tmp_path / "secret")
    assert "'n' in " in (refused := told(DataError, faces, class_folders="sex")) and "--follow-links" in refused
    assert classes_of(opened(faces, class_folders="sex", follow_links=True), "sex") == ["f", "f", "m", "n"]
    (faces / "n").unlink()
    (faces / "f/around").symlink_to(faces)
    assert len(opened(faces, class_folders="sex")) == 3, "a link that leads around ends"
    parts = tmp_path / "parts"
    picture(parts / "train/x/x.png")
    picture(tmp_path / "away/x/x.png")
    (parts / "test").symlink_to(tmp_path / "away")
    assert "'test' in " in told(DataError, parts, class_folders="v")


@pytest.mark.parametrize("name", ["image", "Path", "filename", "file", "img_path"])
def test_another_name_for_file_name_is_found_and_noted(faces: Path, name: str) -> None:
    rows = {name: ["f/a.png", "m/c.png"], "sex": ["f", "m"], "image_url": ["http://x/a.png", "http://x/b.png"]}
    pd.DataFrame(rows).to_csv(faces / "metadata.csv", index=False)
    data = opened(faces)
    assert [round(255 * data.inputs[row].max().item()) for row in (0, 1)] == [51, 255]
    assert f"the files of faces/metadata.csv were found by its column {name!r}, for want of `file_name`" in data.notes
    assert name not in data.columns


def test_two_columns_of_paths_are_a_question(faces: Path) -> None:
    rows = {"path": ["f/a.png", "m/c.png"], "image": ["m/c.png", "f/a.png"], "sex": ["f", "m"]}
    pd.DataFrame(rows).to_csv(faces / "metadata.csv", index=False)
    assert "The columns path, image of" in told(DataError, faces)
    data = opened(faces, image="image")
    assert round(255 * data.inputs[0].max().item()) == 255 and data.options["image"] == "image"
    assert "Did you mean 'image'" in told(UnknownNameError, faces, image="imag")
    rows["image"] = ["healthy", "ill"]
    pd.DataFrame(rows).to_csv(faces / "metadata.csv", index=False)
    assert classes_of(opened(faces), "image") == ["healthy", "ill"], "a column of that name that names no files"


def test_a_folder_with_a_table_of_another_name_is_told_how_to_give_it(faces: Path) -> None:
    (faces / "labels.csv").write_text("image,sex\nf/a.png,f\n")
    assert "If labels.csv lists its files, give that as --data, and the column of their paths as --image" in told(
        DataError, faces
    )

"""Labelled rows: the published colour rule to the image, parts that share nothing, and mistakes told in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from support.machine import REAL

from audit.data.columns import Column, Quantity
from audit.data.labelled import LabelledData, Part, labelled
from audit.data.sources.biased_mnist import PALETTE, assign_colours, paint
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnknownNameError


def small(count: int = 12, **changes: Any) -> LabelledData:
    codes = np.arange(count, dtype=np.int64)
    given = {"columns": {"digit": Column(codes % 2, ("0", "1")), "colour": Column(codes % 3, ("r", "g", "b"))}}
    return LabelledData("small", torch.arange(count).float()[:, None], **{**given, **changes})


def classes_of(data: LabelledData, name: str) -> Column:
    column = data.columns[name]
    assert isinstance(column, Column)
    return column


def told(error: type[IreneError], name: str, part: Part = "audit", **options: Any) -> str:
    with pytest.raises(error) as caught:
        open_data(name, part, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.5, 0.99, 0.995, 1.0])
@pytest.mark.parametrize("count", [1, 7, 100, 237])
def test_colours_follow_the_published_counts(rho: float, count: int) -> None:
    digits = np.random.default_rng(0).permutation(np.repeat(np.arange(10), count)).astype(np.int64)
    colours = assign_colours(digits, rho, seed=1)
    own = int(count * rho)
    rest = count - own
    chunk = -(-rest // 9)
    chunks = [max(0, min(chunk, rest - start * chunk)) for start in range(9)]
    for digit in range(10):
        counts = np.bincount(colours[digits == digit], minlength=10)
        assert counts[digit] == own
        assert sorted(np.delete(counts, digit)) == sorted(chunks)
    np.testing.assert_array_equal(colours, assign_colours(digits, rho, seed=1))


def test_colours_follow_the_seed_and_rho_is_a_share() -> None:
    digits = np.repeat(np.arange(10), 50).astype(np.int64)
    assert (assign_colours(digits, 0.1, seed=0) != assign_colours(digits, 0.1, seed=1)).any()
    for rho in (-0.1, 1.01, float("nan")):
        with pytest.raises(DataError, match="Give 0 to 1"):
            assign_colours(digits, rho, seed=0)


@pytest.mark.parametrize("colour", PALETTE.values())
def test_zeros_take_the_colour_and_all_else_turns_white(colour: tuple[int, int, int]) -> None:
    strokes = torch.tensor([[0, 1], [255, 0]], dtype=torch.uint8)
    image = paint(strokes, torch.tensor(colour, dtype=torch.float32))
    assert image.shape == (3, 2, 2)
    wanted = (torch.tensor(colour) / 255 - 0.5) / 0.5
    torch.testing.assert_close(image[:, 0, 0], wanted)
    torch.testing.assert_close(image[:, 1, 1], wanted)
    assert (image[:, 0, 1] == 1).all()
    assert (image[:, 1, 0] == 1).all()


def test_digit_parts_share_no_image_and_are_the_same_every_time() -> None:
    train, audit, again = (open_data("digits", part, {}) for part in ("train", "audit", "audit"))
    assert train.group is not None
    assert audit.group is not None
    assert not set(train.group) & set(audit.group)
    assert len(set(train.group) | set(audit.group)) == 1797
    assert audit.labels_sha256(["digit", "colour"]) == again.labels_sha256(["digit", "colour"])
    assert torch.equal(audit.inputs[7], again.inputs[7])
    assert audit.inputs[7].shape == (3, 8, 8)
    other = open_data("digits", "audit", {"seed": 1})
    np.testing.assert_array_equal(other.group, audit.group)
    assert (classes_of(other, "colour").codes != classes_of(audit, "colour").codes).any()


def test_digits_are_uncorrelated_at_a_tenth_and_tell_their_colour_at_one() -> None:
    data, biased = open_data("digits", "audit", {}), open_data("digits", "audit", {"rho": 1.0})
    table = np.zeros((10, 10))
    np.add.at(table, (classes_of(data, "digit").codes, classes_of(data, "colour").codes), 1)
    assert np.abs(table / table.sum(axis=1, keepdims=True) - 0.1).max() < 0.02
    np.testing.assert_array_equal(classes_of(biased, "digit").codes, classes_of(biased, "colour").codes)
    assert data.options == {"part": "audit", "rho": 0.1, "seed": 0}


def test_limited_rows_keep_whole_groups_but_for_the_last() -> None:
    group = np.random.default_rng(0).permutation(np.repeat([f"person {i}" for i in range(8)], 5))
    data = small(40, group=group)
    few = data.limited(17, seed=3)
    assert few.group is not None
    assert len(few) == 17
    assert sorted(np.unique(few.group, return_counts=True)[1]) == [2, 5, 5, 5]
    kept = [int(few.inputs[row].item()) for row in range(17)]
    assert kept == sorted(kept)
    np.testing.assert_array_equal(few.group, group[kept])
    np.testing.assert_array_equal(classes_of(few, "colour").codes, classes_of(data, "colour").codes[kept])
    assert few.labels_sha256(["colour"]) == data.limited(17, seed=3).labels_sha256(["colour"])
    assert set(few.group) != set(data.limited(15, seed=4).group)  # type: ignore[arg-type]
    assert data.limited(40, seed=3) is data


def test_one_other_label_or_group_changes_the_hash() -> None:
    data, codes = small(), np.arange(12) % 2
    codes[5] = 0
    changed = small(columns={**data.columns, "digit": Column(codes, ("0", "1"))})
    assert data.labels_sha256(["digit"]) != changed.labels_sha256(["digit"])
    assert data.labels_sha256(["colour"]) == changed.labels_sha256(["colour"])
    assert data.labels_sha256(["colour"]) != small(group=np.arange(12) // 2).labels_sha256(["colour"])


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"columns": {"a": Column(np.zeros(11, dtype=np.int64), ("x",))}}, "12 inputs and 11 values of 'a'"),
        ({"group": np.zeros(13)}, "13 values of 'group'"),
        ({"columns": {"a": Column(np.full(12, 2), ("x", "y"))}}, "codes from 2 to 2 and 2 classes"),
        ({"columns": {"a": Column(np.full(12, -2), ("x", "y"))}}, "codes from -2 to -2 .* or -1 where it is missing"),
        ({"columns": {"a": Column(np.full(12, 0.5), ("x", "y"))}}, "holds no integers"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changes: dict[str, Any], fact: str) -> None:
    with pytest.raises(DataError, match=fact):
        small(**changes)


def test_a_column_is_found_or_told_why_not() -> None:
    data = small()
    assert data.column("digit", "task") is data.columns["digit"]
    with pytest.raises(UnknownNameError, match=r"private column of small 'color'.* mean 'colour'"):
        data.column("color", "private")
    with pytest.raises(DataError, match=r"Private column 'digit' has one class only \(1\) in these 2 rows"):
        data.take(np.array([1, 3])).column("digit", "private")


def test_missing_codes_are_kept_and_no_class() -> None:
    codes = np.array([0, -1] * 6)
    data = small(columns={"a": Column(codes, ("x", "y")), "b": Column(np.arange(12) % 2, ("x", "y"))})
    assert classes_of(data, "a").known.tolist() == [True, False] * 6
    with pytest.raises(DataError, match=r"'a' has one class only \(x\)"):
        data.column("a", "private")
    assert [int(data.complete(["a", "b"]).inputs[row].item()) for row in range(6)] == [0, 2, 4, 6, 8, 10]


def test_rows_are_grouped_by_a_column_and_those_without_a_value_stand_alone() -> None:
    person = Column(np.array([0, 0, 1, 1, -1, -1]), ("ann", "bob"))
    number = Quantity(np.array([7.5, 7.5, np.nan, 3, 3, 7.5]))
    data = small(6, columns={"person": person, "number": number}, notes=("first",))
    grouped = data.grouped_by("person")
    assert grouped.groups().tolist() == [0, 0, 1, 1, 2, 3]
    assert (grouped.group_name, data.group_name) == ("person", None)
    assert grouped.notes == ("first", "rows without a value of 'person', each taken for a group of its own: 2 of 6")
    assert data.grouped_by("number").groups().tolist() == [1, 1, 2, 0, 0, 1]
    assert data.take(np.array([0, 1, 2])).grouped_by("person").notes == ("first",)
    with pytest.raises(UnknownNameError, match=r"group column of small 'persn'.* mean 'person'"):
        data.grouped_by("persn")


def test_words_that_mean_missing_do_so_of_a_group_as_of_a_column() -> None:
    ids = ["ann", "ann", "NA", "na", "?", "-9"]
    given = labelled(torch.zeros(6, 1), {"id": ids}, group=ids, group_name="person", missing="NA,-9")
    for data in (given, given.grouped_by("id")):
        groups = data.groups()
        assert groups[0] == groups[1]
        assert len(np.unique(groups)) == 5, "who is not known stands alone; `?` is one person here"
        assert data.notes[-1].endswith("each taken for a group of its own: 3 of 6")
    by_default = labelled(torch.zeros(6, 1), {}, group=ids).groups()
    assert len(np.unique(by_default[2:4])) == 2, "ids are told apart by letter case"
    assert len(np.unique(labelled(torch.zeros(3, 1), {}, group=[7, -9, -9], missing="-9").groups())) == 3


def test_a_mistaken_source_or_option_is_named(tmp_path: Path) -> None:
    assert "Did you mean 'digits'" in told(UnknownNameError, "digit")
    assert "option of celeba 'rho'" in told(UnknownNameError, "celeba", rho=0.5)
    assert "cannot be opened with {'rho': 'much'}" in told(DataError, "digits", rho="much")
    assert "cannot be opened with {'seed': -1}" in told(DataError, "digits", seed=-1)
    with pytest.raises(DataError, match="Leave 'part' out"):
        open_data("digits", "audit", {"part": "train"})
    own = tmp_path / "own_data.py"
    own.write_text(
        "import torch\nfrom audit.data.labelled import *\n"
        "def rows(part, n=3):\n    return LabelledData(part, torch.zeros(n, 1), {})\n"
        "def number(part):\n    return 3\ndef needy(part, root):\n    return 3\n"
    )
    assert len(open_data(f"{own}:rows", "train", {"n": 4})) == 4
    assert "returned a int" in told(DataError, f"{own}:number")
    assert "'root'" in told(DataError, f"{own}:needy")


def test_missing_or_half_made_mnist_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import MNIST  # noqa: PLC0415 - torchvision takes a second to import

    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert str(tmp_path) in told(DataError, "biased-mnist", data_root=str(tmp_path))
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for content in (b"", b"\0\0\x08\x03\0\0", b"\0\0\x08\x03" + b"\0\0\0\x05" * 3):
        for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (raw / f"{name}-ubyte").write_bytes(content)
        assert str(tmp_path) in told(DataError, "biased-mnist", data_root=str(tmp_path))


@pytest.mark.data("MNIST")
def test_the_real_mnist_is_painted_by_the_rule() -> None:
    data = open_data("biased-mnist", "audit", {"data_root": str(REAL), "rho": 0.99})
    digits, colours = classes_of(data, "digit").codes, classes_of(data, "colour").codes
    assert (len(data), data.inputs[0].shape, digits[0]) == (10_000, (3, 28, 28), 7)
    for digit, count in enumerate(np.bincount(digits)):
        assert (colours[digits == digit] == digit).sum() == int(count * 0.99)
    corner = torch.tensor(list(PALETTE.values())[colours[0]]) / 127.5 - 1
    torch.testing.assert_close(data.inputs[0][:, 0, 0], corner)


PEOPLE = [(1, 0), (1, 0), (2, 0), (3, 1), (3, 1), (4, 2)]
"""Identity and partition of each made-up image."""


def faces(root: Path) -> dict[str, Any]:
    """Make a CelebA folder in the official format, with two attributes: Male on odd images, Young on all but one."""
    (root / "img_align_celeba").mkdir(parents=True)
    names = [f"{number:06}.jpg" for number in range(1, 7)]
    for number, name in enumerate(names):
        Image.new("RGB", (178, 218), (40 * number, 0, 0)).save(root / "img_align_celeba" / name)
    attributes = [f"{name} {1 if i % 2 else -1:2} {-1 if i == 5 else 1:2}" for i, name in enumerate(names)]
    (root / "list_attr_celeba.txt").write_text("\n".join(["6", "Male Young ", *attributes, ""]))
    for file, place in (("identity_CelebA.txt", 0), ("list_eval_partition.txt", 1)):
        (root / file).write_text("".join(f"{n} {told[place]}\n" for n, told in zip(names, PEOPLE, strict=True)))
    return {"data_root": str(root), "image_size": 16}


def test_faces_come_with_their_part_attributes_and_people(tmp_path: Path) -> None:
    options = faces(tmp_path / "celeba")
    train, audit = open_data("celeba", "train", options), open_data("celeba", "audit", options)
    assert train.groups().tolist() == [0, 0, 1]
    assert audit.group is not None
    assert (audit.group.tolist(), audit.group_name) == ([3, 3, 4], "person")
    assert classes_of(train, "Male").codes.tolist() == [0, 1, 0]
    assert classes_of(audit, "Young").codes.tolist() == [1, 1, 0]
    assert classes_of(audit, "Male").classes == ("no", "yes")
    assert (train.inputs[0].shape, train.inputs[0].dtype) == ((3, 16, 16), torch.float32)
    red = (40 * 5 / 255 - 0.485) / 0.229
    assert audit.inputs[2][0].mean().item() == pytest.approx(red, abs=0.05), "the sixth image goes with the sixth row"


def test_a_missing_or_mistaken_celeba_file_is_named(tmp_path: Path) -> None:
    options = faces(tmp_path / "celeba")
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt", "identity_CelebA.txt"):
        path = tmp_path / "celeba" / name
        whole = path.read_text()
        for broken in ("", "<html>\n", "a b\nc d e f\n", whole.replace("000003.jpg", "000002.jpg"), whole[:-2] + "x\n"):
            path.write_text(broken)
            assert name in told(DataError, "celeba", **options)
        path.unlink()
        assert f"No {name}" in told(DataError, "celeba", **options)
        path.write_text(whole)
    partition = tmp_path / "celeba" / "list_eval_partition.txt"
    partition.write_text("".join(partition.read_text().splitlines(keepends=True)[:-1]))
    assert "different images" in told(DataError, "celeba", **options)
    assert "image_size is 'wide'" in told(DataError, "celeba", **{**options, "image_size": "wide"})


def test_a_broken_or_missing_face_is_named_when_it_is_read(tmp_path: Path) -> None:
    data = open_data("celeba", "train", faces(tmp_path))
    first, second = (tmp_path / "img_align_celeba" / f"00000{number}.jpg" for number in (1, 2))
    first.write_bytes(first.read_bytes()[:200])
    second.unlink()
    for row, path in enumerate((first, second)):
        with pytest.raises(DataError, match=path.name) as caught:
            data.inputs[row]
        assert "\n" not in str(caught.value)
    assert data.inputs[2].isfinite().all()


@pytest.mark.data("celeba")
def test_the_real_parts_of_celeba_share_no_person() -> None:
    options = {"data_root": str(REAL / "celeba"), "image_size": 32}
    train, audit = open_data("celeba", "train", options), open_data("celeba", "audit", options)
    assert train.group is not None and audit.group is not None
    assert not set(train.group) & set(audit.group)
    assert len(train.columns) == 40
    assert 0.3 < classes_of(audit, "Male").codes.mean() < 0.5
    assert audit.inputs[0].shape == (3, 32, 32)

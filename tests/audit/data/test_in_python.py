"""Rows as Python holds them: each kind becomes the same inputs and labels, or one line says what to write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils import data as torch_data

import irene
from audit.data.columns import Column
from audit.data.labelled import LabelledData, labelled
from audit.data.layers import given_layers
from audit.data.loading import batches
from audit.errors import DataError, UnknownNameError

N = 12
X = torch.arange(2.0 * N).reshape(N, 2)
SEX = list("fm" * (N // 2))
CODES = [0, 1] * (N // 2)


class Pairs(torch_data.Dataset[Any]):
    """Rows that a function makes."""

    def __init__(self, row: Any) -> None:
        self.row = row

    def __len__(self) -> int:
        return N

    def __getitem__(self, row: int) -> Any:
        if row >= N:
            raise IndexError
        return self.row(row)


PAIRS = Pairs(lambda row: (X[row], CODES[row]))
RECORDS = Pairs(lambda row: {"x": X[row], "sex": SEX[row], "id": row, "path": f"{row}.png"})


def seen(data: LabelledData) -> Tensor:
    return torch.stack([data.inputs[row] for row in range(len(data))])


def sexes(data: LabelledData, name: str = "sex") -> list[str]:
    column = data.columns[name]
    assert isinstance(column, Column)
    return [column.classes[code] for code in column.codes]


def told(inputs: Any, columns: Any = "sex") -> str:
    with pytest.raises(DataError) as caught:
        labelled(inputs, columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "inputs",
    [
        X,
        X.numpy(),
        X.numpy().astype(">f4"),
        X.numpy()[::-1][::-1],
        list(X),
        list(X.numpy()),
        X.tolist(),
        pd.DataFrame(X.numpy(), columns=["a", "b"]),
        Pairs(lambda row: X[row]),
        torch_data.TensorDataset(X),
    ],
    ids=[
        "tensor",
        "array",
        "big-endian",
        "reversed",
        "tensors",
        "arrays",
        "lists",
        "frame",
        "dataset",
        "TensorDataset",
    ],
)
def test_inputs_of_every_kind_are_the_same_rows(inputs: Any) -> None:
    data = labelled(inputs, {"sex": SEX})
    assert torch.equal(seen(data).float(), X)
    assert (sexes(data), data.notes) == (SEX, ())


@pytest.mark.parametrize("kind", ["f8", "f4", "f2", "i8", "i4", "i2", "u1", "?"])
def test_an_array_keeps_its_kind_of_numbers(kind: str) -> None:
    array = X.numpy().astype(kind)
    assert labelled(array, {"sex": SEX}).inputs[1].dtype == torch.from_numpy(array).dtype


def test_whole_numbers_that_pytorch_hardly_knows_are_widened() -> None:
    array = np.full((N, 2), 2**16 - 1, dtype=np.uint16)
    assert labelled(array, {"sex": SEX}).inputs[1].tolist() == [2**16 - 1] * 2


def test_a_row_of_an_array_is_a_copy_and_a_mapped_file_stays_on_the_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.numpy())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = labelled(mapped, {"sex": SEX})
    data.inputs[0].add_(1)
    assert torch.equal(seen(data), X)


def test_images_of_bytes_are_not_scaled_in_silence() -> None:
    images = np.zeros((N, 3, 4, 4), dtype=np.uint8)
    assert any("nothing was scaled" in note for note in labelled(images, {"sex": SEX}).notes)
    assert not labelled(images.astype(np.float32), {"sex": SEX}).notes


def test_names_for_the_parts_of_a_row_are_its_labels() -> None:
    for dataset in (PAIRS, [*zip(X, CODES, strict=True)], torch_data.TensorDataset(X, torch.tensor(CODES))):
        data = labelled(dataset, "sex")
        assert torch.equal(seen(data), X)
        assert sexes(data) == [str(code) for code in CODES]
    three = Pairs(lambda row: (X[row], SEX[row], f"{row}.png"))
    assert list(labelled(three, ("sex", None)).columns) == ["sex"]
    assert "A row has 3 parts, the input and 2 more, and 1 names were given" in told(three)
    many = Pairs(lambda row: (X[row], torch.zeros(40)))
    assert "'sex' is an array of shape [40] in each row, and a label is one value" in told(many)


def test_names_for_the_keys_of_a_row_are_its_labels_and_the_tensors_its_input() -> None:
    data = labelled(RECORDS, ("sex",), group=range(N))
    assert torch.equal(seen(data), X) and sexes(data) == SEX
    assert "of a row, the input is x; left out: id, path" in data.notes
    with pytest.raises(UnknownNameError, match="Did you mean 'sex'"):
        labelled(RECORDS, "sexx")
    assert "No part of a row is a tensor beside the labels: x, sex" in told(Pairs(lambda row: {"x": "a", "sex": "f"}))


def test_several_tensors_of_a_row_stay_together_by_their_names() -> None:
    tokens = Pairs(lambda row: {"input_ids": X[row].long(), "attention_mask": torch.ones(2), "sex": SEX[row]})
    first: Any = labelled(tokens, "sex").inputs[3]
    assert list(first) == ["input_ids", "attention_mask"]
    encoded = {"input_ids": X.long(), "attention_mask": np.ones((N, 2))}
    again: Any = labelled(encoded, {"sex": SEX}).inputs[3]
    assert torch.equal(again["input_ids"], first["input_ids"])
    assert "differ in their number of rows: 3, 12" in told(encoded | {"attention_mask": np.ones((3, 2))}, {"sex": SEX})
    both: Any = labelled(Pairs(lambda row: (X[row], X[row])), {"sex": SEX}).inputs[1]
    assert isinstance(both, tuple) and len(both) == 2
    data = labelled(PAIRS, {"sex": SEX})
    assert torch.equal(seen(data), X) and "of the 2 parts of a row, the input is 1" in data.notes


def test_a_frame_gives_its_labels_by_name_and_its_numbers_as_inputs() -> None:
    frame = pd.DataFrame(X.numpy(), columns=["a", "b"]).assign(sex=SEX)
    data = labelled(frame, "sex")
    assert torch.equal(seen(data), X) and sexes(data) == SEX
    assert "the inputs are the frame's columns a, b" in data.notes
    assert sexes(labelled(X, frame[["sex"]])) == SEX
    assert "Column 'job' of the frame holds no numbers" in told(frame.assign(job="x"))
    assert "Column 'a' of the frame has empty cells" in told(frame.assign(a=np.nan))


SHUFFLED = pd.DataFrame(X.numpy(), columns=["a", "b"]).assign(sex=SEX).sample(frac=1, random_state=1)
FRAME = SHUFFLED.sort_index()


@pytest.mark.parametrize(
    ("inputs", "columns", "group"),
    [
        (SHUFFLED[["a", "b"]], {"sex": FRAME["sex"]}, None),
        (SHUFFLED[["a", "b"]], FRAME[["sex"]], None),
        (SHUFFLED["a"], {"sex": FRAME["sex"]}, None),
        ({"x": SHUFFLED["a"], "y": FRAME["b"]}, {"sex": SEX}, None),
        (X, {"sex": SHUFFLED["sex"], "age": FRAME["b"]}, None),
        (X, {"sex": SHUFFLED["sex"]}, FRAME["a"]),
        (SHUFFLED, "sex", FRAME["a"]),
    ],
)
def test_rows_of_pandas_that_another_index_orders_otherwise_are_not_put_side_by_side(
    inputs: Any, columns: Any, group: Any
) -> None:
    with pytest.raises(DataError, match="of the same rows in another order, and irene goes by position") as caught:
        labelled(inputs, columns, group=group)
    assert ".to_numpy()" in str(caught.value) and "labels.loc[inputs.index]" in str(caught.value)


def test_an_index_of_other_rows_is_asked_about_and_the_ways_that_are_named_give_each_row_its_own_label() -> None:
    features = SHUFFLED[["a", "b"]]
    with pytest.raises(DataError, match="of other rows"):
        labelled(features, {"sex": FRAME["sex"].set_axis(range(1, N + 1))})
    own = SHUFFLED["sex"].tolist()
    for sex in (SHUFFLED["sex"], FRAME["sex"].loc[features.index], SHUFFLED["sex"].to_numpy(), own):
        data = labelled(features, {"sex": sex})
        assert torch.equal(seen(data), torch.tensor(features.to_numpy())) and sexes(data) == own


@pytest.mark.parametrize(
    "sex", [torch.tensor(CODES).float().requires_grad_(), torch.tensor(CODES).bfloat16(), torch.tensor(CODES).bool()]
)
def test_labels_that_a_tensor_holds_are_its_numbers_whatever_it_is_for(sex: Tensor) -> None:
    data = labelled(X, {"sex": sex}, group=torch.arange(float(N)).requires_grad_())
    column = data.columns["sex"]
    assert isinstance(column, Column)
    assert column.codes.tolist() == CODES and len(np.unique(data.groups())) == N
    for odd in (torch.tensor(CODES).to_sparse(), torch.tensor(CODES, device="meta")):
        assert "'sex' is a tensor that cannot be read" in told(X, {"sex": odd})


def objects(cells: list[Any]) -> Any:
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


@pytest.mark.parametrize("held", [list, tuple, objects, lambda cells: pd.Series(cells, dtype=object)])
@pytest.mark.parametrize("cell", [np.bool_, lambda one: torch.tensor(bool(one)), lambda one: np.array(bool(one))])
def test_truth_values_of_other_kinds_one_a_row_are_truth_values(cell: Any, held: Any) -> None:
    assert sexes(labelled(X, {"sex": held([cell(one) for one in CODES])})) == [str(bool(one)) for one in CODES]
    some = labelled(X, {"sex": held([None, *(cell(one) for one in CODES[1:])])}).columns["sex"]
    assert isinstance(some, Column)
    assert (some.classes, int((~some.known).sum())) == (("False", "True"), 1)


def test_labels_that_a_dataset_gives_as_tensors_are_their_numbers() -> None:
    rows = torch_data.TensorDataset(X, torch.tensor(CODES))
    assert sexes(labelled(X, {"sex": [rows[row][1] for row in range(N)]})) == [*map(str, CODES)]


@pytest.mark.parametrize("column", [list(X.numpy()), list(X), X.tolist()])
def test_a_column_of_vectors_is_the_array_of_them(column: Any) -> None:
    rows = pd.Series(column)
    assert seen(labelled(rows, {"sex": SEX})).tolist() == X.tolist()
    data = labelled({"x": rows}, {"sex": SEX})
    assert torch.stack([data.inputs[row]["x"] for row in range(N)]).tolist() == X.tolist()
    assert np.array_equal(given_layers({"z": rows}, data)["z"], X.numpy())


def test_a_column_of_vectors_of_unlike_lengths_is_told() -> None:
    assert "is of object" in told(pd.Series([np.ones(1 + row % 2) for row in range(N)]), {"sex": SEX})


@pytest.mark.parametrize("unit", [lambda one: UUID(int=one), lambda one: Path(f"{one}.png")])
def test_ids_and_paths_name_groups(unit: Any) -> None:
    data = labelled(X, {"sex": SEX}, group=[unit(row // 2) for row in range(N)])
    assert data.groups().tolist() == [row // 2 for row in range(N)]


def test_a_loader_gives_its_dataset_in_order_through_its_own_collate_fn() -> None:
    loader = torch_data.DataLoader(PAIRS, batch_size=5, shuffle=True)
    data = labelled(loader, "sex")
    assert torch.equal(seen(data), X)
    assert data.notes == ("the loader shuffles; its rows were taken in the order of its dataset",)

    def doubled(items: list[Any]) -> dict[str, Tensor]:
        return {"x": 2 * torch.stack([x for x, _ in items]), "sex": torch.tensor([code for _, code in items])}

    data = labelled(torch_data.DataLoader(PAIRS, batch_size=5, collate_fn=doubled), "sex")
    assert torch.equal(seen(data), 2 * X) and sexes(data) == [str(code) for code in CODES]


def test_a_loader_of_some_rows_gives_these_and_one_that_may_repeat_rows_is_refused() -> None:
    some = torch_data.SubsetRandomSampler([7, 2, 5])
    data = labelled(torch_data.DataLoader(PAIRS, sampler=some), "sex")
    assert torch.equal(seen(data), X[[2, 5, 7]])
    assert "of the 12 rows of the loader's dataset its sampler named 3" in data.notes
    weighted = torch_data.WeightedRandomSampler([1.0] * N, N)
    assert "WeightedRandomSampler chooses rows" in told(torch_data.DataLoader(PAIRS, sampler=weighted))

    class Own(torch_data.Sampler[list[int]]):
        def __iter__(self) -> Iterator[list[int]]:
            yield [0, 1]

    assert "Own chooses rows" in told(torch_data.DataLoader(PAIRS, batch_sampler=Own()))


class Stream(torch_data.IterableDataset[Any]):
    """Rows without a position."""

    def __iter__(self) -> Iterator[Any]:
        return iter(PAIRS)


@pytest.mark.parametrize(
    ("inputs", "columns", "fact"),
    [
        (Stream(), "sex", "Stream gives its rows in a stream"),
        (torch_data.DataLoader(Stream()), "sex", "Stream gives its rows in a stream"),
        (iter([1]), "sex", "A list_iterator holds no rows by position"),
        (None, "sex", "A NoneType holds no rows by position"),
        ("faces/", "sex", "'faces/' is a text, not rows. Files are read by `irene audit MODEL --data PATH`"),
        (Path("faces"), "sex", "'faces' is a text, not rows"),
        ((X, X), {"sex": SEX}, "A tuple of 2 arrays does not say which argument of the model each is"),
        (X, "sex", "Arrays hold no labels by name. Give the values"),
        (list(X), "sex", "A row is a Tensor and holds no labels by name"),
        (torch.tensor(3.0), {"sex": SEX}, "is a single number"),
        (np.array(["a"] * N), {"sex": SEX}, "is of <U1"),
        (np.array([None] * N), {"sex": SEX}, "is of object"),
        (["text"] * N, {"sex": SEX}, "A row is a str, and a model takes tensors of numbers. Apply the transform"),
        ([Image.new("RGB", (2, 2))] * N, {"sex": SEX}, "A row is a Image"),
        ([(Image.new("RGB", (2, 2)), 1)] * N, "sex", "The input of a row is a Image"),
        ({"a": "b"}, {"sex": SEX}, "is a single number"),
        ({}, {"sex": SEX}, "differ in their number of rows"),
        ([{"x": X[0], "sex": "f"}, {"x": X[0]}], "sex", "Row 1, a dict, has no 'sex', and the first row has"),
        ([{"x": X[0], "sex": "f"}, (X[0], "m")], "sex", "Row 1, a tuple, has no 'sex'"),
        ([(X[0], "f"), (X[0], "m"), (X[0],)], "sex", "Row 2 has 1 parts, and the first has 2"),
        ([(X[0], "f"), (X[0], "m", 3)], "sex", "Row 1 has 3 parts, and the first has 2"),
        ([(X[0], "f"), X[0]], "sex", "Row 1, a Tensor, has no part 2"),
    ],
)
def test_what_holds_no_rows_is_told_what_to_write(inputs: Any, columns: Any, fact: str) -> None:
    assert fact in told(inputs, columns)


@pytest.mark.parametrize(
    ("rows", "fact"),
    [
        ([{"x": X[0]}, {"z": X[0]}], "Row 1, a dict, has no 'x'"),
        ([(X[0], X[1]), (X[0],)], "Row 1, a tuple, has no part 2"),
        ([X[0].numpy(), None], "The input of a row is a NoneType without numbers"),
        ([[1.0, 2.0], [1.0, [2.0]]], "The input of a row is a list without numbers"),
    ],
)
def test_an_input_unlike_the_first_is_told_in_one_line(rows: Any, fact: str) -> None:
    data = labelled(rows, {"sex": ["f", "m"]})
    with pytest.raises(DataError, match=fact):
        list(batches(data.inputs, batch_size=2, workers=0))


@pytest.mark.parametrize("data", [X, PAIRS, torch_data.DataLoader(PAIRS), pd.DataFrame({"a": [1]}), {"x": X}, None])
def test_data_without_labels_is_told_how_to_get_them(data: Any) -> None:
    with pytest.raises(irene.IreneError, match=r"says of no row what is private\. .*irene\.labelled\(inputs, \{"):
        irene.audit(nn.Linear(2, 2), data, private="sex")


def test_data_sets_of_hugging_face_are_read_by_their_names() -> None:
    datasets = pytest.importorskip("datasets")
    classes, text = datasets.ClassLabel(names=["f", "m"]), datasets.Value("string")
    features = datasets.Features(x=datasets.Sequence(datasets.Value("float32")), sex=classes, text=text)
    rows = datasets.Dataset.from_dict({"x": X.tolist(), "sex": CODES, "text": ["a"] * N}, features=features)
    for one in (rows, rows.with_format("torch"), rows.with_transform(lambda batch: {"x": torch.tensor(batch["x"])})):
        data = labelled(one, "sex")
        assert torch.equal(seen(data), X) and sexes(data) == SEX
    assert torch.equal(seen(labelled(rows.with_format("torch"), {"sex": SEX})), X)
    images = rows.add_column("image", [{"bytes": b"", "path": None}] * N).cast_column("image", datasets.Image())
    assert "Column 'image' of the dataset holds files" in told(images)
    assert "holds several data sets: train. Give one of them" in told(datasets.DatasetDict(train=rows))
    assert "in a stream" in told(rows.to_iterable_dataset())
    assert "Tokenize its texts first" in told(rows.remove_columns("x"))


def test_a_module_of_lightning_is_told_to_give_one_of_its_loaders() -> None:
    lightning = pytest.importorskip("lightning")

    class Faces(lightning.LightningDataModule):  # type: ignore[misc,name-defined]
        def test_dataloader(self) -> torch_data.DataLoader[Any]:
            return torch_data.DataLoader(PAIRS)

    assert "Faces holds rows for several ends. Write module.setup('test')" in told(Faces())
    assert torch.equal(seen(labelled(Faces().test_dataloader(), "sex")), X)

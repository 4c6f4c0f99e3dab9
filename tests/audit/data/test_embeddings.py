"""Ready-made embeddings: three kinds of files, nothing loaded or run that need not be, mistakes told in one line."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from audit.data import layers
from audit.data.columns import Column, Quantity
from audit.data.labelled import labelled
from audit.data.sources.embeddings import read_embeddings
from audit.errors import DataError, UnknownNameError
from audit.run import audit_embeddings
from audit.settings import Settings

Z = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS = {"sex": np.array(["f", "m", "?", "f", "m", "f"]), "age": np.array([20.5, np.nan, 3, 4, 5, 6])}


def told(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_embeddings(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    pd.DataFrame(LABELS).to_csv(path, index=False)
    return path


def test_npz_arrays_are_layers_and_labels_by_their_own_names(tmp_path: Path) -> None:
    path = tmp_path / "z.npz"
    np.savez_compressed(path, pool=Z, head=Z.astype(np.float64)[:, :2], **LABELS)  # type: ignore[arg-type]
    found = read_embeddings(path, continuous="age")
    assert list(found.layers) == ["pool", "head"]
    np.testing.assert_array_equal(found.layers["pool"], Z)
    assert found.layers["head"].shape == (6, 2)
    sex, age = found.data.columns["sex"], found.data.columns["age"]
    assert isinstance(sex, Column) and isinstance(age, Quantity)
    assert (sex.codes.tolist(), sex.classes) == ([0, 1, -1, 0, 1, 0], ("f", "m"))
    assert age.known.tolist() == [True, False, True, True, True, True]
    assert (found.data.name, found.data.options) == ("z.npz", {"layers": "pool,head", "continuous": "age"})
    assert torch.equal(found.data.inputs[4], torch.from_numpy(Z[4]))
    assert ["rows were audited" in note for note in found.data.notes] == [True]


def test_npy_stays_on_the_disk_and_takes_its_labels_from_a_table(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "pool.npy"
    np.save(path, Z.astype(np.float16))
    found = read_embeddings(path, table=table)
    assert isinstance(found.layers["pool"], np.memmap)
    assert not found.layers["pool"].flags.writeable
    assert (found.data.inputs[2].dtype, found.data.inputs[2].shape) == (torch.float32, (3,))
    assert list(found.data.columns) == ["sex", "age"]
    assert found.data.options == {"layers": "pool", "table": "labels.csv"}
    assert "holds no labels. Give a table" in told(path)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.large_list(pa.float32())])
def test_parquet_lists_of_floats_are_layers(tmp_path: Path, kind: pa.DataType) -> None:
    path = tmp_path / "z.parquet"
    columns = {"pool": pa.array(Z.tolist(), kind), "sex": pa.array(LABELS["sex"].tolist())}
    pq.write_table(pa.table(columns), path, row_group_size=4)
    found = read_embeddings(path)
    np.testing.assert_allclose(found.layers["pool"], Z)
    assert list(found.data.columns) == ["sex"]


def test_a_table_adds_labels_but_does_not_replace_them(tmp_path: Path, table: Path) -> None:
    path = tmp_path / "z.npz"
    np.savez(path, pool=Z, job=np.arange(6))
    assert list(read_embeddings(path, table=table).data.columns) == ["job", "sex", "age"]
    np.savez(path, pool=Z, sex=np.arange(6))
    assert "cannot tell which row is whose" in told(path, table=table)
    pd.DataFrame(LABELS).head(5).to_csv(table, index=False)
    np.savez(path, pool=Z, job=np.arange(6))
    assert "'sex' in z.npz or labels.csv has 5 rows and 'pool' has 6" in told(path, table=table)
    with pytest.raises(UnknownNameError, match=r"column of z.npz 'agee'"):
        read_embeddings(path, continuous=["agee"])


def test_a_number_with_a_fraction_is_no_key_whatever_file_it_stands_in(tmp_path: Path) -> None:
    ages = np.array([40.1, 50.2, 60.3, 41.4, 51.5, 61.6], dtype=np.float32)
    columns = {"pool": pa.array(Z.tolist()), "age": pa.array(ages), "id": pa.array([*"abcdef"])}
    pq.write_table(pa.table(columns), tmp_path / "z.parquet")
    table = pd.DataFrame({"id": [*"fedcba"], "age": [f"{age:.1f}" for age in ages[::-1]], "sex": [*"ffmmff"]})
    table.to_csv(tmp_path / "labels.csv", index=False)
    found = read_embeddings(tmp_path / "z.parquet", table=tmp_path / "labels.csv")
    assert "rows of labels.csv were put in the order of the vectors by 'id'" in found.data.notes
    assert found.data.codes("sex").tolist() == [0, 0, 1, 1, 0, 0]


class Trap:
    """Unpickling it would make a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return Path.mkdir, (self.folder,)


def test_no_pickle_in_a_file_is_run(tmp_path: Path, table: Path) -> None:
    objects = np.array([Trap(tmp_path / "ran")] * 6, dtype=object)
    np.savez(tmp_path / "z.npz", pool=Z, sex=objects)
    assert "Array 'sex' of" in (fact := told(tmp_path / "z.npz"))
    assert "df['sex'].to_numpy().astype('U')" in fact
    np.save(tmp_path / "z.npy", objects[:, None])
    assert "Cannot read" in told(tmp_path / "z.npy", table=table)
    for name in ("p.npz", "p.npy"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
        assert "Cannot read" in told(tmp_path / name, table=table)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("arrays", "fact"),
    [
        ({"sex": LABELS["sex"]}, "holds no embeddings"),
        ({"pool": Z}, "holds no labels"),
        ({"pool": Z, "head": Z[:5], "sex": LABELS["sex"]}, "'head' in z.npz has 5 rows and 'pool' has 6"),
        ({"pool": Z, "sex": LABELS["sex"][:4]}, "'sex' in z.npz has 4 rows"),
        ({"maps": Z[:, :, None], "sex": LABELS["sex"]}, "'maps' of .* has 3 dimensions"),
        (
            {"pool": Z, "size": np.array(3)},
            "'size' of .* is a single number: .* Leave it out",
        ),
        ({"pool": Z.astype(int), "sex": LABELS["sex"]}, "of int64. Save features as floats"),
        ({"pool": Z[:, :0], "sex": LABELS["sex"]}, r"\[6, 0\]"),
        ({"pool": np.where(Z[4, 1] == Z, np.nan, Z), "sex": LABELS["sex"]}, "NaN or infinity in row 5"),
        ({"pool": np.where(Z[3, 0] == Z, 1e300, Z.astype(float)), "sex": LABELS["sex"]}, "infinity in row 4"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, arrays: dict[str, Any], fact: str) -> None:
    path = tmp_path / "z.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=fact) as caught:
        read_embeddings(path)
    assert "\n" not in str(caught.value)


def test_vectors_of_unlike_lengths_or_none_are_told(tmp_path: Path) -> None:
    for vectors, fact in (([[1.0], [1.0, 2.0]], "1 to 2 numbers"), ([[1.0], None], "1 rows without a vector")):
        pq.write_table(pa.table({"z": pa.array(vectors), "a": pa.array(["x", "y"])}), tmp_path / "z.parquet")
        assert fact in told(tmp_path / "z.parquet")
    pq.write_table(pa.table({"z": pa.array([[1.0], [None]]), "a": pa.array(["x", "y"])}), tmp_path / "z.parquet")
    assert "NaN or infinity in row 2" in told(tmp_path / "z.parquet")


def test_a_broken_or_missing_file_is_told(tmp_path: Path, table: Path) -> None:
    np.savez(tmp_path / "z.npz", pool=Z, **LABELS)  # type: ignore[arg-type]
    whole = (tmp_path / "z.npz").read_bytes()
    for name in ("z.npz", "z.npy", "z.parquet"):
        for content in (b"", b"nonsense", whole[: len(whole) // 2]):
            (tmp_path / name).write_bytes(content)
            assert "Cannot read" in told(tmp_path / name, table=table)
    assert "does not exist" in told(tmp_path / "none.npz")
    assert "is no file of embeddings" in told(table)


def test_numbers_are_checked_in_every_block(tmp_path: Path, table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "BLOCK", 6)  # two rows
    z = Z.copy()
    np.save(tmp_path / "z.npy", z)
    assert read_embeddings(tmp_path / "z.npy", table=table).layers["z"].shape == (6, 3)
    z[5, 2] = np.inf
    np.save(tmp_path / "z.npy", z)
    assert "in row 6" in told(tmp_path / "z.npy", table=table)


@pytest.mark.parametrize("said", [["NO", "Yes "], ["no", "yes"]])
def test_predictions_in_other_spellings_are_the_floor_of_the_same_classes(tmp_path: Path, said: list[str]) -> None:
    rng = np.random.default_rng(0)
    y, v = rng.integers(0, 2, (2, 300))
    path = tmp_path / "z.npz"
    np.savez(path, z=rng.normal(size=(300, 3)), y=np.array(["no", "yes"])[y], said=np.array(said)[y], v=v, w=v)
    found = read_embeddings(path)
    settings = Settings(attackers=("logistic",), bootstrap=50, null_refits=2)
    result = audit_embeddings(found.layers, found.data, private="v", task="y", predicted="said", settings=settings)
    assert result.task is not None
    assert result.task.accuracy.value == 1
    with pytest.raises(DataError, match="Predicted column 'w' has 0 missing values and the classes 0, 1; the task has"):
        audit_embeddings(found.layers, found.data, private="v", task="y", predicted="w", settings=settings)


@pytest.mark.parametrize("shape", ["(-1,)", "(3, 4)", "(1000000000000,)"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_an_array_of_no_bytes_is_refused_by_its_header(tmp_path: Path, shape: str, suffix: str) -> None:
    head = f"{{'descr': '<U0', 'fortran_order': True, 'shape': {shape}}}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + bytes(40)
    path = tmp_path / f"layer.{suffix}"
    if suffix == "npy":
        path.write_bytes(content)
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("layer.npy", content)
    assert "holds values of no bytes" in told(path)


N = 40
WIDE = np.random.default_rng(1).normal(size=(N, 3)).astype(np.float32)
GIVEN = labelled(WIDE, {"v": ["a", "b"] * (N // 2)})


def given(z: Any, rows: Any = GIVEN) -> np.ndarray[Any, Any]:
    return layers.given_layers({"z": z}, rows)["z"]


@pytest.mark.parametrize(
    "z",
    [
        WIDE,
        WIDE.tolist(),
        list(WIDE),
        pd.DataFrame(WIDE),
        pd.DataFrame(WIDE).astype("Float32"),
        torch.tensor(WIDE),
        torch.tensor(WIDE, requires_grad=True),
        torch.tensor(WIDE).double(),
    ],
)
def test_layers_that_python_holds_are_the_same_vectors(z: Any) -> None:
    found = given(z)
    assert found.dtype.kind == "f"
    np.testing.assert_array_equal(found.astype(np.float32), WIDE)


def test_whole_numbers_and_short_floats_are_read_and_a_mapped_file_stays_mapped(tmp_path: Path) -> None:
    np.testing.assert_array_equal(given((WIDE * 50).astype(int)), (WIDE * 50).astype(int))
    bits = torch.tensor(WIDE).bfloat16()
    np.testing.assert_array_equal(given(bits), bits.float().numpy())
    np.save(tmp_path / "z.npy", WIDE)
    assert isinstance(given(np.load(tmp_path / "z.npy", mmap_mode="r")), np.memmap)


@pytest.mark.parametrize(
    ("z", "fact"),
    [
        (WIDE[:30], "'z' has 30 rows of 3 numbers and there are labels of 40 rows. Give one vector for each"),
        (WIDE.T, "if they stand in columns, give z.T"),
        (np.where(np.arange(N)[:, None] == 3, np.nan, WIDE), "'z' in what was given has NaN or infinity in row 4"),
        (np.ma.array(WIDE, mask=np.arange(N)[:, None] * [1, 1, 1] == 3), "NaN or infinity in row 4"),
        (pd.DataFrame(WIDE).drop(index=3).reindex(range(N)).astype("Float32"), "NaN or infinity in row 4"),
        (WIDE.astype(float) * 1e300, "NaN or infinity in row 1"),
        (WIDE[:, 0], "has 1 dimensions. Give one vector a row"),
        (WIDE[:, None], "has 3 dimensions"),
        (3.5, "is a single number"),
        (None, "is a single number"),
        (WIDE[:, :0], "it holds no numbers"),
        (WIDE.astype(str), "of <U32. Save features as floats"),
        (WIDE.astype(complex), "of complex128. Save features as floats"),
        ([[1.0, 2.0]] * 39 + [[1.0]], "a list, is no array"),
        (torch.tensor(WIDE).to_sparse(), "a Tensor, is no array"),
        (torch.tensor(WIDE).to("meta"), "a Tensor, is no array"),
        (pd.DataFrame(WIDE).assign(word="a"), "is no array|of object"),
    ],
)
def test_layers_that_are_no_vectors_of_these_rows_are_told_in_one_line(z: Any, fact: str) -> None:
    with pytest.raises(DataError, match=fact) as caught:
        given(z)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError):
        audit_embeddings({"z": z}, GIVEN, private="v")


def test_a_frame_of_vectors_goes_by_the_index_of_the_labels() -> None:
    frame = pd.DataFrame(WIDE).assign(v=["a", "b"] * (N // 2)).sample(frac=1, random_state=1)
    z = frame.drop(columns="v")
    with pytest.raises(DataError, match="the labels and layer 'z' are of the same rows in another order"):
        given(z, labelled(WIDE, {"v": frame["v"].sort_index()}))
    np.testing.assert_array_equal(given(z, labelled(WIDE, {"v": frame["v"]})), z)
    some = labelled(WIDE, {"v": frame["v"]}).take(np.arange(5, 15))
    np.testing.assert_array_equal(given(z.iloc[5:15], some), z.iloc[5:15])
    with pytest.raises(DataError, match="of other rows"):
        given(z.iloc[:10], some)
    for empty in ({}, {3: WIDE}):
        with pytest.raises(DataError, match=r"without a layer|name of a layer is 3"):
            layers.given_layers(empty, GIVEN)

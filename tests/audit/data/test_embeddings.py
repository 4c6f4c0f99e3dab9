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

from audit.data.columns import Column, Quantity
from audit.data.sources import embeddings
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
    assert "have a column 'sex'" in told(path, table=table)
    pd.DataFrame(LABELS).head(5).to_csv(table, index=False)
    np.savez(path, pool=Z, job=np.arange(6))
    assert "'sex' in z.npz or labels.csv has 5 rows and 'pool' has 6" in told(path, table=table)
    with pytest.raises(UnknownNameError, match=r"column of z.npz 'agee'"):
        read_embeddings(path, continuous=["agee"])


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
    assert "array.astype(str)" in fact
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
        ({"pool": Z, "size": np.array(3)}, "'size' of .* has 0 dimensions"),
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
    monkeypatch.setattr(embeddings, "BLOCK", 6)  # two rows
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
    np.savez(path, z=rng.normal(size=(300, 3)), y=np.array(["no", "yes"])[y], said=np.array(said)[y], v=v)
    found = read_embeddings(path)
    settings = Settings(attackers=("logistic",), bootstrap=50, null_refits=2)
    result = audit_embeddings(found.layers, found.data, private="v", task="y", predicted="said", settings=settings)
    assert result.task is not None
    assert result.task.accuracy.value == 1
    with pytest.raises(DataError, match="Predicted column 'v' has 0 missing values and the classes 0, 1; the task has"):
        audit_embeddings(found.layers, found.data, private="v", task="y", predicted="v", settings=settings)


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

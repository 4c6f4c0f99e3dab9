"""Embeddings in several files: the rows of one, the same figures, and what does not go together."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from audit.data.columns import Column
from audit.data.sources import embeddings
from audit.data.sources.embeddings import read_embeddings
from audit.errors import DataError

N = 900


def table(n: int = N, width: int = 4, **more: Any) -> pa.Table:
    """Return vectors that tell sex, with sex and age, the same for the same n."""
    generator = np.random.default_rng(0)
    sex = generator.integers(0, 2, n)
    z = generator.normal(size=(n, width)).astype(np.float32)
    z[:, 0] += sex
    columns = {"z": [*z], "sex": np.where(sex, "m", "f"), "age": generator.integers(20, 60, n)}
    return pa.table(columns | more)


def sharded(folder: Path, whole: pa.Table, sizes: tuple[int, ...] = (400, 1, 499)) -> Path:
    """Write so many rows to a file each."""
    folder.mkdir()
    for place, size in enumerate(sizes):
        pq.write_table(whole.slice(sum(sizes[:place]), size), folder / f"part-{place}.parquet", row_group_size=150)
    return folder


def told(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_embeddings(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_shards_are_the_rows_of_one_file_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "PIECE", 64)
    whole = table()
    pq.write_table(whole, tmp_path / "one.parquet")
    one, several = read_embeddings(tmp_path / "one.parquet"), read_embeddings(sharded(tmp_path / "emb", whole))
    assert isinstance(several.layers["z"], np.memmap)
    assert several.layers["z"].dtype == one.layers["z"].dtype
    np.testing.assert_array_equal(several.layers["z"], one.layers["z"])
    assert [*several.data.columns] == [*one.data.columns]
    ours, theirs = (found.data.columns["sex"] for found in (several, one))
    assert isinstance(ours, Column) and isinstance(theirs, Column)
    np.testing.assert_array_equal(ours.codes, theirs.codes)
    assert (several.data.name, several.data.options) == ("emb", one.data.options)
    assert several.data.labels_sha256(["sex"]) == one.data.labels_sha256(["sex"])


def test_an_audit_of_shards_finds_what_one_of_all_rows_finds(tmp_path: Path, run: Callable[..., Result]) -> None:
    pq.write_table(table(), tmp_path / "one.parquet")
    sharded(tmp_path / "emb", table())
    found = []
    for subject in (tmp_path / "one.parquet", tmp_path / "emb", tmp_path / "emb" / "*.parquet"):
        result = run("audit", subject, "--private sex --attackers logistic --layer z -o", tmp_path / "audit.json")
        assert result.exit_code == 0, result.output
        found.append(json.loads((tmp_path / "audit.json").read_text(encoding="utf-8")))
    assert found[0]["findings"] == found[1]["findings"] == found[2]["findings"]
    assert found[0]["data"]["fingerprint"] == found[1]["data"]["fingerprint"]
    assert [one["checkpoint"]["file"] for one in found] == ["one.parquet", "emb", "emb/*.parquet"]
    assert found[1]["checkpoint"]["sha256"] == found[2]["checkpoint"]["sha256"] != found[0]["checkpoint"]["sha256"]


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
def test_arrays_may_lie_in_several_files_too(tmp_path: Path, suffix: str) -> None:
    z, sex = np.random.default_rng(0).normal(size=(30, 3)), np.array(["f", "m"] * 15)
    (tmp_path / "emb").mkdir()
    for place, part in enumerate((slice(0, 10), slice(10, 30))):
        path = tmp_path / "emb" / f"{place}{suffix}"
        np.savez(path, z=z[part], sex=sex[part]) if suffix == ".npz" else np.save(path, z[part])
    np.savez(tmp_path / "labels.npz", z=z, **({"sex": sex} if suffix == ".npy" else {"age": np.arange(30)}))
    found = read_embeddings(tmp_path / "emb", table=tmp_path / "labels.npz")
    np.testing.assert_array_equal(found.layers["z"], z)
    assert "sex" in found.data.columns


def test_files_that_do_not_go_together_are_told_in_one_line(tmp_path: Path) -> None:
    for name, second in {
        "width": table(9, width=5),
        "columns": table(9, eye=["b"] * 9),
        "layer": table(9).rename_columns(["y", "sex", "age"]),
    }.items():
        folder = sharded(tmp_path / name, table(20), (20,))
        pq.write_table(second, folder / "part-9.parquet")
    assert "'z' in " in told(tmp_path / "width") and "5 numbers a row" in told(tmp_path / "width")
    assert "part-9.parquet holds z, sex, age, eye, and those before it z, sex, age." in told(tmp_path / "columns")
    assert "Give files of one kind" in told(tmp_path / "layer")
    np.save(tmp_path / "layer" / "more.npy", np.ones((2, 2)))
    assert "several kinds, .npy and .parquet" in told(tmp_path / "layer")
    assert "names no file of embeddings" in told(tmp_path / "layer" / "x*.parquet")
    (tmp_path / "layer" / "part-9.parquet").write_bytes(b"PAR1")
    assert "Cannot read" in told(tmp_path / "layer" / "part*.parquet")


def test_a_folder_that_holds_a_model_is_none_of_embeddings(tmp_path: Path, run: Callable[..., Result]) -> None:
    folder = sharded(tmp_path / "model", table(20), (20,))
    (folder / "config.json").write_text("{}", encoding="utf-8")
    result = run("audit", folder, "--private sex --data digits -o", tmp_path / "audit.json")
    assert result.exit_code == 1
    assert "is no file of embeddings" not in result.output and len(result.stderr.splitlines()) == 1


def test_a_release_is_of_one_file(tmp_path: Path, run: Callable[..., Result]) -> None:
    subject = sharded(tmp_path / "emb", table(20), (20,)) / "*.parquet"
    result = run("sanitize", subject, "--private sex -o", tmp_path / "clean.npz")
    assert (result.exit_code, result.stderr.splitlines()) == (
        1,
        [f"Error: {subject} stands for several files, and one is released. Join them into one, and name it."],
    )

"""Vectors and a table side by side: by ids or an index of both, and never by position against what these say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.data.files.parquet_file import written_index
from audit.data.joins.ids import ids_of, same_order, words_of
from audit.data.sources.embeddings import read_embeddings
from audit.errors import DataError

N = 120
RNG = np.random.default_rng(0)
SEX = np.tile(["f", "m"], N // 2)
Z = np.stack([SEX == "m", RNG.normal(size=N)], axis=1).astype(np.float32)
"""The first number of a row is its sex."""
IDS = np.arange(N)
MOVED = RNG.permutation(N)
AGES = RNG.normal(40, 10, N)
NAMES = np.array([f"{one:04}.jpg" for one in IDS])
STEMS = np.array([f"{one:04}" for one in IDS])
LATER = [f"{one + 30:04}" for one in IDS]
"""Three quarters of them are the others' names."""
PEOPLE = IDS // 2
FRAME = pd.DataFrame({"z": [*Z], "sex": SEX})
SHUFFLED, OTHERWISE = (FRAME.sample(frac=1, random_state=seed) for seed in (1, 2))


def joined(folder: Path, own: dict[str, Any] | pd.DataFrame | Path, more: pd.DataFrame | Path) -> tuple[str, ...]:
    """Return the notes on vectors with their own columns beside a table; sex has to be that of each vector."""
    path, table = folder / "z.parquet", folder / "t.csv"
    if isinstance(own, pd.DataFrame):
        own.to_parquet(path)
    elif isinstance(own, dict):
        path = folder / "z.npz"
        np.savez(path, z=Z, **own)
    if isinstance(more, pd.DataFrame):
        more.to_csv(table, index=False)
    found = read_embeddings(own if isinstance(own, Path) else path, table=more if isinstance(more, Path) else table)
    z = next(iter(found.layers.values()))
    np.testing.assert_array_equal(found.data.codes("sex"), z[:, 0])
    return found.data.notes


def refused(folder: Path, own: dict[str, Any] | pd.DataFrame | Path, more: pd.DataFrame | Path) -> str:
    with pytest.raises(DataError) as caught:
        joined(folder, own, more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def labels(**columns: Any) -> pd.DataFrame:
    """Return labels whose rows have left their places, with columns that have, too."""
    return pd.DataFrame({name: np.asarray(values)[MOVED] for name, values in columns.items()} | {"sex": SEX[MOVED]})


def in_place(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({**columns, "sex": SEX})


def saved(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_parquet(folder / "t.parquet")
    return folder / "t.parquet"


@pytest.mark.parametrize("own", [IDS, IDS.astype(np.float64), IDS.astype(np.float32), IDS.astype(str)])
def test_ids_join_rows_be_they_whole_numbers_or_such_as_pandas_made_floats(tmp_path: Path, own: Any) -> None:
    for more in (IDS, IDS.astype(np.float64)):
        told = joined(tmp_path, {"id": own}, labels(id=more))
        assert "rows of t.csv were put in the order of the vectors by 'id'" in told


def test_a_label_that_is_a_float_is_no_part_of_the_key_beside_ids(tmp_path: Path) -> None:
    own = {"id": IDS, "smile": (IDS % 2).astype(float)}
    told = joined(tmp_path, own, labels(id=IDS, smile=IDS % 3))
    assert "rows of t.csv were put in the order of the vectors by 'id'" in told
    fact = refused(tmp_path, {"smile": own["smile"]}, labels(smile=IDS % 3))
    assert "cannot tell which row is whose. Give both a column that differs in every row, such as an id" in fact


@pytest.mark.parametrize(
    ("own", "more"),
    [
        ({"id": IDS, "set": SEX.size * ["a"]}, {"set": ["a"] * N, "image": IDS}),
        ({"name": NAMES}, {"image": STEMS}),
        ({"name": NAMES}, {"image": IDS}),
        ({"name": np.char.add("img/", NAMES)}, {"image": NAMES}),
        ({"path": np.char.add("C:\\img\\", NAMES)}, {"image": STEMS}),
        ({"name": np.char.add("face_", IDS.astype(str))}, {"image": IDS}),
        ({"ID": np.char.add("P", STEMS)}, {"id": np.char.add("p", STEMS)}),
        ({"name": STEMS}, {"image": LATER}),
        ({"name": STEMS}, {"image": [*[""] * 9, *STEMS[9:]]}),
        ({"name": NAMES.astype(bytes)}, {"image": STEMS}),
        ({"id": IDS.astype(float)}, {"image": IDS}),
        ({"person": PEOPLE}, {"celebrity": PEOPLE}),
        ({"age": AGES}, {"age": AGES}),
        ({"age": AGES.astype(np.float32)}, {"Age": AGES.round(3)}),
    ],
    ids="-".join,
)
def test_columns_that_name_the_same_rows_in_another_order_are_refused(
    tmp_path: Path, own: dict[str, Any], more: dict[str, Any]
) -> None:
    fact = refused(tmp_path, own, labels(**more))
    assert "of t.csv name mostly the same rows in another order" in fact
    if more.get("image") is not LATER:
        notes = joined(tmp_path, own, in_place(**more))
        assert sum("were taken in the order of the vectors, and" in note for note in notes) == 1, "in its place it fits"


def test_a_column_that_says_nothing_of_the_order_is_no_reason_to_refuse(tmp_path: Path) -> None:
    by_place = "rows of t.csv were taken in the order of the vectors"
    rating = RNG.integers(0, 60, (2, N))
    for own, more, said in (
        ({"set": ["a"] * N}, {"set": ["a"] * N}, ": they have the very 'set', which several rows share"),
        ({"set": ["a"] * N}, {}, ": no column says whose they are"),
        ({"rated": rating[0]}, {"old": rating[1]}, ": no column says whose they are"),
        ({"id": IDS}, {"image": IDS + N}, ": no column says whose they are"),
        ({"id": IDS}, {"image": IDS}, ", and 'id' beside 'image' says the same"),
        ({"person": PEOPLE}, {"celebrity": PEOPLE}, ", and 'person' beside 'celebrity' says the same"),
        ({"age": AGES.astype(np.float32)}, {"age": AGES.round(2)}, ", and 'age' beside 'age' says the same"),
    ):
        assert by_place + said in joined(tmp_path, own, in_place(**more))
    notes = joined(tmp_path, {"age": AGES}, in_place(age=AGES[::-1] * 1.1))
    assert "'age' of t.csv differs from that of the vectors, which was taken" in notes


def test_columns_of_lists_or_of_few_values_have_no_order() -> None:
    assert ids_of(pd.Series([[1], [2]])) is None
    assert words_of(pd.Series([[1], [2]])) == ["[1]", "[2]"]
    assert ids_of(np.array(["f", "m"] * 30)) is None
    one, other = ids_of(IDS), ids_of(IDS[:50])
    assert one is not None and other is not None
    assert same_order(one, other) is None


def test_the_index_that_pandas_wrote_is_a_key_or_is_asked_about(tmp_path: Path) -> None:
    z, sex = FRAME[["z"]], FRAME[["sex"]]
    told = joined(tmp_path, SHUFFLED[["z"]], saved(tmp_path, OTHERWISE[["sex"]]))
    assert "rows of t.parquet were put in the order of the vectors by their index" in told
    told = joined(tmp_path, SHUFFLED[["z"]].head(50), saved(tmp_path, OTHERWISE[["sex"]]))
    assert "rows of t.parquet were put in the order of the vectors by their index" in told
    told = joined(tmp_path, SHUFFLED[["z"]], saved(tmp_path, SHUFFLED[["sex"]]))
    assert "rows of t.parquet have the very index of the vectors" in told
    told = joined(tmp_path, z, saved(tmp_path, sex))
    assert "rows of t.parquet were taken in the order of the vectors: no column says whose they are" in told
    named = OTHERWISE[["sex"]].rename_axis("row")
    assert any("by 'row'" in note for note in joined(tmp_path, z.rename_axis("row"), saved(tmp_path, named)))
    for one, other in ((SHUFFLED, FRAME), (FRAME, SHUFFLED), (FRAME[::-1], FRAME), (FRAME, FRAME[::-1])):
        fact = refused(tmp_path, one[["z"]], saved(tmp_path, other[["sex"]]))
        assert "The index that pandas wrote beside the vectors and that of t.parquet differ" in fact
        joined(tmp_path, one.reset_index(names="row")[["row", "z"]], saved(tmp_path, other.reset_index(names="row")))
        one, beside = one.reset_index(drop=True), one.reset_index(drop=True)  # noqa: PLW2901
        joined(tmp_path, one[["z"]], saved(tmp_path, beside[["sex"]]))


@pytest.mark.parametrize(
    "told",
    [3, "rows", [], {"index_columns": 3}, {"index_columns": [3]}, {"index_columns": ["gone", "__index_level_0__"]}]
    + [
        {"index_columns": [{"kind": "range", "start": start, "stop": stop, "step": step}]}
        for start, stop, step in ((0, 2, 0), (0, 9, 1), (None, 2, 1), ("0", 2, 1), (0, 2**70, 2**69), (0.0, 2, 1))
    ],
    ids=str,
)
def test_what_a_file_says_of_an_index_that_it_has_not_is_no_index(tmp_path: Path, told: object) -> None:
    table = pa.table({"sex": ["f", "m"]}).replace_schema_metadata({"pandas": json.dumps(told)})
    pq.write_table(table, tmp_path / "t.parquet")
    assert written_index(tmp_path / "t.parquet") == {}


def test_an_index_in_csv_is_one_too(tmp_path: Path) -> None:
    for frame, other in ((SHUFFLED, FRAME), (FRAME, SHUFFLED)):
        frame[["sex"]].to_csv(tmp_path / "i.csv")
        assert "that of i.csv differ" in refused(tmp_path, other[["z"]], tmp_path / "i.csv")
        joined(tmp_path, frame[["z"]], tmp_path / "i.csv")
    assert "'id' of the embeddings and" in refused(tmp_path, {"id": IDS}, saved(tmp_path, SHUFFLED[["sex"]]))


def shards(folder: Path, name: str, **columns: Any) -> Path:
    folder.mkdir()
    for place, part in enumerate(np.split(IDS, 12)):
        own = {one: values[part] for one, values in columns.items()}
        np.savez(folder / f"{name.format(place)}.npz", z=Z[part], **own)
    return folder


def test_shards_whose_numbers_say_another_order_need_ids_beside_a_table(tmp_path: Path) -> None:
    fact = refused(tmp_path, shards(tmp_path / "emb", "part_{}"), in_place())
    assert "part_10.npz comes before part_2.npz, and not in the order of their numbers. Rename the files" in fact
    for place in range(12):
        path = tmp_path / "emb" / f"part_{place}.npz"
        path.rename(path.with_name(f"part_{place:02}.npz"))
    told = "the files stand under each other by their names: part_00.npz, part_01.npz, part_02.npz"
    for own in (tmp_path / "emb", tmp_path / "emb" / "part_*.npz"):
        assert any(note.startswith(told) for note in joined(tmp_path, own, in_place()))
    by_ids = shards(tmp_path / "ids", "part_{}", id=IDS)
    assert not any("stand under each other" in note for note in joined(tmp_path, by_ids, labels(id=IDS)))
    shards(tmp_path / "own", "part_{}", sex=SEX)
    assert len(read_embeddings(tmp_path / "own").data) == N, "rows that have their labels beside them may stand anyhow"


def test_frames_in_shards_that_count_anew_have_no_index(tmp_path: Path) -> None:
    for kind, is_reset in (("reset", True), ("slices", False)):
        (tmp_path / kind).mkdir()
        for place in range(4):
            part = FRAME[["z"]].iloc[place * 30 : place * 30 + 30]
            (part.reset_index(drop=True) if is_reset else part).to_parquet(tmp_path / kind / f"{place}.parquet")
        joined(tmp_path, tmp_path / kind, saved(tmp_path, FRAME[["sex"]]))
    assert "index that pandas wrote" in refused(tmp_path, tmp_path / "slices", saved(tmp_path, SHUFFLED[["sex"]]))

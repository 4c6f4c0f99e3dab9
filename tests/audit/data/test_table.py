"""Tables for tabular models: the encoding to the number, kinds of files, missing values kept, mistakes told."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from support.machine import REAL

from audit.data.columns import Column, Quantity, Undecided
from audit.data.files.table_file import read_table
from audit.data.labelled import LabelledData, Part
from audit.data.sources.opening import open_data
from audit.errors import DataError, IreneError, UnknownNameError

ADULT = REAL / "tabular" / "adult.csv"
FRAME = pd.DataFrame(
    {
        "age": [20.5, 40.5, 99.0, None],
        "job": ["cook", "baker", "?", "cook"],
        "sex": ["f", "m", "m", "f"],
        "split": ["train", "train", "audit", "test"],
    }
)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    FRAME.to_csv(path, index=False)
    return path


def rows(data: LabelledData) -> list[list[float]]:
    return [data.inputs[row].tolist() for row in range(len(data))]


def told(error: type[IreneError], path: Path | str, part: Part = "audit", **options: Any) -> str:
    with pytest.raises(error) as caught:
        open_data(str(path), part, options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_numbers_are_standardised_by_the_training_rows_and_classes_are_one_hot(people: Path) -> None:
    options = {"features": "age,job"}
    train, audit = open_data(str(people), "train", options), open_data(str(people), "audit", options)
    assert rows(train) == [[-1, 0, 1], [1, 1, 0]]
    assert rows(audit) == [[pytest.approx(6.85), 0, 0], [0, 0, 1]], "a missing number is 0, a missing class all 0"
    note = "'job' of people.csv: '?' in fewer than 10 rows counts as missing (`--missing` names other words)"
    assert (audit.name, audit.notes, list(audit.columns)) == ("people.csv", (note,), ["age", "job", "sex", "split"])
    assert audit.options == {
        "part": "audit",
        "encoding": "standardised numbers, one-hot classes",
        "features": "age,job",
    }
    age, job = audit.columns["age"], audit.columns["job"]
    assert isinstance(age, Quantity) and isinstance(job, Column)
    assert (age.known.tolist(), job.codes.tolist()) == ([True, False], [-1, 1])


def test_without_a_split_all_rows_standardise_and_a_note_says_so(tmp_path: Path) -> None:
    path = tmp_path / "people.tsv"
    FRAME.drop(columns="split").to_csv(path, sep="\t", index=False)
    data = open_data(str(path), "audit", {"features": ["age"], "continuous": "age"})
    assert sum(value for (value,) in rows(data)) == pytest.approx(0, abs=1e-6)
    assert [note.split(" in ")[0] for note in data.notes] == ["no `split` column", "no column `split`"]
    assert data.options["continuous"] == "age"
    assert "add one" in told(DataError, path, "train", features="age").lower()


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_kind_of_file_gives_the_same_rows(people: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"same.{kind}"
    if kind == "jsonl":
        records = FRAME.astype(object).where(FRAME.notna(), None).to_dict("records")
        path.write_text("".join(json.dumps(one) + "\n" for one in records))
    elif kind == "parquet":
        FRAME.astype({"sex": "category"}).to_parquet(path)
    else:
        FRAME.to_csv(path, sep="\t" if kind == "tsv" else ",", index=False)
    data, same = (open_data(str(one), "audit", {"features": "age,job,sex"}) for one in (people, path))
    assert rows(data) == rows(same)
    digests = [
        [one.sha256() for one in each.columns.values() if not isinstance(one, Undecided)] for each in (data, same)
    ]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 4


def test_numbers_that_are_standardised_by_the_audited_rows_are_told(people: Path, tmp_path: Path) -> None:
    alone = tmp_path / "later.csv"
    FRAME[FRAME["split"] != "train"].drop(columns="split").assign(age=[20.5, 40.5]).to_csv(alone, index=False)
    own = open_data(str(alone), "audit", {"features": "age"})
    assert rows(own) == [[-1], [1]]
    (note,) = [note for note in own.notes if "standardised" in note]
    assert "by the mean and deviation of these very rows" in note and "or give a transform" in note
    given = open_data(str(people), "audit", {"features": "age"})
    assert not any("standardised" in note for note in given.notes)
    assert own.options["encoding"] == f"{given.options['encoding']}, both by these very rows"


def test_a_transform_of_the_users_own_makes_the_rows(people: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "import numpy as np\n"
        "def length():\n    return lambda t: t.job.str.len().fillna(0).to_numpy()[:, None]\n"
        "def width():\n    return lambda t: np.full((len(t), 1), t.shape[1])\n"
        "def short():\n    return lambda t: np.zeros((2, 1))\n"
        "def gaps():\n    return lambda t: t[['age']]\n"
        "def words():\n    return lambda t: t[['job']]\n"
        "def number():\n    return 3\n"
        "def turned():\n    return lambda t: t[::-1][['age']].fillna(0)\n"
    )
    data = open_data(str(people), "audit", {"transform": f"{own}:length"})
    assert rows(data) == [[0], [4]]
    assert data.options == {"part": "audit", "transform": f"{own}:length"}
    assert rows(open_data(str(people), "audit", {"transform": f"{own}:width", "features": "age,sex"})) == [[2], [2]]
    for name in ("short", "gaps", "words"):
        assert "an array of finite numbers" in told(DataError, people, transform=f"{own}:{name}")
    assert "returned a int" in told(DataError, people, transform=f"{own}:number")
    assert "rows in another order" in told(DataError, people, transform=f"{own}:turned")


def test_mistaken_features_are_told(people: Path, tmp_path: Path) -> None:
    assert "Name them with --features" in told(DataError, people)
    assert "feature of people.csv 'jbo'. Did you mean 'job'" in told(UnknownNameError, people, features="age,jbo")
    assert "holds 'cook', which is no number" in told(DataError, people, features="age", continuous="job")
    assert "option of" in told(UnknownNameError, people, features="age", image_size=8)
    ids = tmp_path / "ids.csv"
    pd.DataFrame({"name": [f"p{i}" for i in range(1001)]}).to_csv(ids, index=False)
    assert "1001 classes, too many" in told(DataError, ids, features="name")
    FRAME.assign(age=[float("nan"), float("nan"), 1.5, 2.5]).to_csv(people, index=False)
    assert "no value to standardise by" in told(DataError, people, features="age")


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("x.csv", "", "Cannot read"),
        ("x.csv", "a,b\n", "has no rows"),
        ("x.csv", "a,b\n1,2,3\n4,5,6\n", "more values than its first line has names"),
        ("x.csv", "a,b\n1,2\n1,2,3\n", "Cannot read"),
        ("x.csv", b"a\n\xff\xfe\n", "Cannot read"),
        ("x.jsonl", '{"a": 1}\nnonsense\n', "line 2 is not JSON"),
        ("x.jsonl", "[1]\n", "line 1 is not an object"),
        ("x.jsonl", "[" * 100_000, "line 1 is not JSON"),
        ("x.parquet", "nonsense", "Cannot read"),
    ],
)
def test_a_file_that_is_no_table_is_told_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, fact: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert fact in told(DataError, path, features="a")


def test_a_path_that_is_nothing_is_told(tmp_path: Path) -> None:
    assert "does not exist" in told(DataError, tmp_path / "none.csv")
    assert "does not exist" in told(DataError, "none.csv")
    assert "is no table or folder" in told(DataError, __file__)
    assert "a .csv, .tsv, .jsonl, .parquet or .tar file" in told(UnknownNameError, "people")


def test_a_named_index_of_parquet_is_a_column_and_a_nameless_one_is_not(tmp_path: Path) -> None:
    FRAME.set_index("sex").to_parquet(tmp_path / "a.parquet")
    FRAME.set_axis([3, 1, 2, 0]).to_parquet(tmp_path / "b.parquet")
    assert {*read_table(tmp_path / "a.parquet").columns} == {*read_table(tmp_path / "b.parquet").columns} == {*FRAME}


@pytest.mark.data("tabular/adult.csv")
def test_the_real_adult_file_keeps_its_rows_and_what_is_missing_in_them() -> None:
    features = "age,workclass,education-num,occupation,hours-per-week,sex"
    data = open_data(str(ADULT), "audit", {"features": features, "continuous": "age,education-num"})
    assert (len(data), len(data.columns), len(data.notes)) == (32_561, 15, 4)
    assert "'workclass' of adult.csv: '?' in 1,836 rows counts as missing" in data.notes[1]
    workclass, age, sex = (data.columns[name] for name in ("workclass", "age", "sex"))
    assert isinstance(workclass, Column) and isinstance(age, Quantity) and isinstance(sex, Column)
    assert int((~workclass.known).sum()) == 1836
    assert sex.classes == ("Female", "Male")
    assert age.values[:2].tolist() == [39, 50]
    assert data.column("income-per-year", "task").classes == ("<=50K", ">50K")
    x = np.stack([data.inputs[row].numpy() for row in range(0, len(data), 50)])
    assert x.dtype == np.float32
    assert x.shape[1] == 3 + 8 + 14 + 2
    assert np.abs(x[:, [0, 9]].mean(axis=0)).max() < 0.1


def test_groups_that_have_rows_in_both_parts_of_a_split_are_counted(tmp_path: Path) -> None:
    frame = FRAME.assign(person=["anna", "bob", "anna", "eva"], home=["w", "x", "y", "z"], number=[1001, 1002, 1001, 3])
    frame.to_csv(tmp_path / "people.csv", index=False)
    for part, many in (("audit", 2), ("train", 2)):
        data = open_data(str(tmp_path / "people.csv"), part, {"features": "age"})  # type: ignore[arg-type]
        told = f"that have rows in the other part of the split, too: 1 of {many};"
        for name in ("person", "number"):
            assert f"groups of {name!r} {told}" in data.grouped_by(name).notes[-1]
        assert not any("other part" in note for note in data.grouped_by("home").notes)

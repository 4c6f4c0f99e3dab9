"""Files of every format say the same: what is missing, which spellings are one class, ids to the last digit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from audit.data.cells import words_of
from audit.data.columns import Column, Quantity, Undecided
from audit.data.files.table_file import read_table
from audit.data.labelled import LabelledData
from audit.data.reading import LabelColumn
from audit.data.sources.embeddings import read_embeddings
from audit.data.sources.opening import open_data
from audit.errors import DataError

N = 60
PERSON = [10**17 + row // 2 for row in range(N)]
ROWS: list[dict[str, Any]] = [
    {
        "religion": ["None", "Muslim", "NA", None][row % 4],
        "sex": "Male " if row < 12 else "male" if row < 24 else "Male" if row < 48 else "Female",
        "vip": None if row == 7 else row % 3 == 0,
        "level": row % 12,
        "job": 100 + row,
        "age": None if row == 5 else 20.5 + row,
        "person": None if row >= 58 else PERSON[row],
        "x": row / 8,
    }
    for row in range(N)
]
KINDS = ("csv", "tsv", "jsonl", "parquet", "npz")


def write(path: Path, rows: list[dict[str, Any]] = ROWS) -> Path:
    """Write rows in the format of the suffix, a gap as that format has it."""
    names = list(rows[0])
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({name: [row[name] for row in rows] for name in names}), path)
    elif path.suffix == ".npz":
        cells = {name: [row[name] for row in rows] for name in names}
        texts = {name: np.array(["" if one is None else str(one) for one in column]) for name, column in cells.items()}
        numbers = {name: np.array(cells[name]) for name in ("level", "job")}
        ages = np.array([np.nan if one is None else one for one in cells["age"]])
        np.savez(path, **(texts | numbers | {"age": ages}), z=np.ones((len(rows), 2), dtype="f4"))  # type: ignore[arg-type]
    else:
        mark = "\t" if path.suffix == ".tsv" else ","
        cells_of = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
        path.write_text("\n".join(mark.join(one) for one in [names, *cells_of]) + "\n", encoding="utf-8")
    return path


def opened(path: Path, **options: Any) -> LabelledData:
    if path.suffix == ".npz":
        return read_embeddings(path, **options).data
    return open_data(str(path), "audit", {"features": "x"} | options)


def classes(column: LabelColumn) -> tuple[tuple[str, ...], list[int]]:
    assert isinstance(column, Column)
    return column.classes, column.codes.tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_are_the_same_columns_in_every_format(tmp_path: Path, kind: str) -> None:
    columns = opened(write(tmp_path / f"people.{kind}")).columns
    names, codes = classes(columns["religion"])
    assert (names, codes[:4]) == (("Muslim", "NA", "None"), [2, 0, 1, -1])
    assert classes(columns["sex"])[0] == ("Female", "Male")
    assert np.bincount(classes(columns["sex"])[1]).tolist() == [12, 48]
    assert classes(columns["vip"])[0] == ("False", "True")
    assert classes(columns["vip"])[1][5:9] == [0, 1, -1, 0]
    assert classes(columns["level"]) == (tuple(map(str, range(12))), [row % 12 for row in range(N)])
    job, age = columns["job"], columns["age"]
    assert isinstance(job, Undecided) and isinstance(age, Quantity)
    np.testing.assert_array_equal(age.values, [np.nan if row == 5 else 20.5 + row for row in range(N)])


@pytest.mark.parametrize("kind", KINDS)
def test_notes_say_the_same_in_every_format(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"people.{kind}")
    religion, sex = (opened(path).columns[name] for name in ("religion", "sex"))
    assert isinstance(religion, Column) and isinstance(sex, Column)
    assert sorted(religion.remarks.words) == [
        f"'religion' of people.{kind}: {word!r} in 15 rows counts as a class "
        f"(`--missing {word}` if it says that there is none)"
        for word in ("NA", "None")
    ]
    assert sex.remarks.merged == (
        f"'sex' of people.{kind} spells classes in several ways: 'Male ' (12 rows), 'male' (12 rows) read as 'Male'",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_words_for_missing_are_the_users_in_every_format_and_recorded(tmp_path: Path, kind: str) -> None:
    data = opened(write(tmp_path / f"people.{kind}"), missing="NA, none")
    assert set(classes(data.columns["religion"])[1]) == {0, -1}
    assert data.options["missing"] == "NA,none"
    assert "missing" not in opened(tmp_path / f"people.{kind}").options
    assert opened(tmp_path / f"people.{kind}", missing="").options["missing"] == ""


@pytest.mark.parametrize("kind", KINDS)
def test_ids_beside_a_gap_keep_all_their_digits_in_every_format(tmp_path: Path, kind: str) -> None:
    data = opened(write(tmp_path / f"people.{kind}")).grouped_by("person")
    assert len(np.unique(data.groups())) == 29 + 2
    assert data.groups()[:4].tolist() == [0, 0, 1, 1]
    assert "rows without a value of 'person', each taken for a group of its own: 2 of 60" in data.notes


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_transform_sees_numbers_as_numbers_and_a_class_called_none_as_text(tmp_path: Path, kind: str) -> None:
    rows = [row | {"age": "NA" if row["age"] is None and kind == "csv" else row["age"]} for row in ROWS]
    frame = read_table(write(tmp_path / f"people.{kind}", rows)).frame(words_of(None))
    assert frame["age"].dtype == np.float64 and frame["age"].isna().sum() == 1
    assert frame["x"].tolist() == [row / 8 for row in range(N)]
    assert frame["level"].dtype == np.int64
    assert frame["religion"].isna().sum() == 15
    assert frame["religion"].tolist()[:3] == ["None", "Muslim", "NA"]
    assert read_table(tmp_path / f"people.{kind}").frame(words_of(["none"]))["religion"].isna().sum() == 30


@pytest.mark.parametrize("header", ["split", "Split", "split ", " SPLIT\u00a0"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_that_trained_the_model_are_found_however_the_header_is_written(
    tmp_path: Path, kind: str, header: str
) -> None:
    rows = [{"x": row / 8, header: "Train " if row < 40 else "audit"} for row in range(N)]
    path = write(tmp_path / f"people.{kind}", rows)
    data = opened(path)
    assert len(data) == 20
    seen = header.lstrip(" ") if kind == "csv" else header  # blanks before a cell of CSV are no part of it
    told = [f"columns of people.{kind} were read by other names: {seen!r} as 'split'"] if seen != "split" else []
    assert list(data.notes) == told
    assert list(opened(path).columns) == ["x", "split"]


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [
        ("x.csv", "sex,sex\nf,m\n", "has two columns 'sex'"),
        ("x.csv", "sex,sex \nf,m\n", "the columns 'sex' and 'sex ', which are read as 'sex'"),
        ("x.csv", "split,Split\ntrain,m\n", "the columns 'split' and 'Split', which are read as 'split'"),
        ("x.jsonl", '{"sex": "f"}\n{"sex ": "m"}\n', "the columns 'sex' and 'sex ', which are read as 'sex'"),
        ("x.jsonl", '{"sex": "f", "sex": "m"}\n', "line 1 is not JSON (a name occurs twice in it)"),
    ],
)
def test_two_headers_that_become_one_are_refused(tmp_path: Path, name: str, content: str, fact: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert fact in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_labels_of_embeddings_that_become_one_are_refused(tmp_path: Path) -> None:
    z = np.ones((2, 2), dtype="f4")
    np.savez(tmp_path / "z.npz", z=z, **{"sex": np.array(["f", "m"]), "sex ": np.array(["f", "m"])})  # type: ignore[arg-type]
    pq.write_table(
        pa.Table.from_arrays([pa.array(["f"]), pa.array(["m"])], names=["sex", "sex"]), tmp_path / "z.parquet"
    )
    for name in ("z.npz", "z.parquet"):
        with pytest.raises(DataError, match=r"sex|one name"):
            read_embeddings(tmp_path / name)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / f"people.{kind}")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert next(iter(read_table(path).columns)) == "religion"


def test_a_row_that_is_too_short_has_no_values_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x,sex\n1.5,f\n2.5\n,\n")
    columns = opened(tmp_path / "x.csv").columns
    assert [column.known.tolist() for column in columns.values()] == [[True, True, False], [True, False, False]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("blank", "kind"), [("", "csv"), ("", "tsv"), ("  ", "csv"), ('""', "csv"), ("\t", "csv")])
def test_a_blank_line_of_a_table_of_one_column_is_an_empty_cell(
    tmp_path: Path, end: str, blank: str, kind: str
) -> None:
    lines = ["", "sex", "f", blank, "m", blank, blank, '"a, b"', "", ""]
    (tmp_path / f"x.{kind}").write_text(end.join(lines), encoding="utf-8-sig", newline="")
    assert read_table(tmp_path / f"x.{kind}").text("sex") == ["f", None, "m", None, None, "a, b"]


def test_a_blank_line_of_a_table_of_several_columns_is_no_row_and_a_last_cell_that_is_empty_is_quoted(
    tmp_path: Path,
) -> None:
    (tmp_path / "x.csv").write_text("x,sex\n1,f\n\n2,m\n")
    assert len(read_table(tmp_path / "x.csv")) == 2
    (tmp_path / "x.tsv").write_text("x\tsex\n1\tf\n\t\n2\tm\n")
    assert read_table(tmp_path / "x.tsv").text("sex") == ["f", None, "m"], "two empty cells are a row"
    (tmp_path / "x.csv").write_text('sex\nf\n\n""\n\n')
    assert read_table(tmp_path / "x.csv").text("sex") == ["f", None, None]


@pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_table_in_another_code_is_told_to_be_saved_as_utf_8(tmp_path: Path, code: str, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(("a,b\nmännlich,1\nweiblich,2\n" if suffix == ".csv" else '{"a": "männlich"}\n').encode(code))
    with pytest.raises(DataError, match=r"Cannot read .* as a table: .*Save it as UTF-8") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)

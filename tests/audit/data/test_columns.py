"""Columns of labels: what becomes classes, what a quantity, what is missing, and joint classes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from audit.data.columns import Column, Quantity, intersect
from audit.data.reading import as_column, label_columns
from audit.errors import DataError, IreneError, UnknownNameError

nan = float("nan")


def classes(values: Any, **options: Any) -> tuple[list[int], tuple[str, ...]]:
    column = as_column("c", values, **options)
    assert isinstance(column, Column)
    return column.codes.tolist(), column.classes


def numbers(values: Any, **options: Any) -> list[float]:
    column = as_column("c", values, **options)
    assert isinstance(column, Quantity)
    return [float(one) for one in column.values]


@pytest.mark.parametrize(
    ("values", "codes", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        ([True, False, True], [1, 0, 1], ("False", "True")),
        ([10, 9, 2], [2, 1, 0], ("2", "9", "10")),
        ([1.0, 0.0, nan], [1, 0, -1], ("0", "1")),
        ([1, None, 0], [1, -1, 0], ("0", "1")),
        ([float("inf"), 3, 4], [-1, 0, 1], ("3", "4")),
        (["x", None, "?", " ", "N/A", nan], [0, -1, -1, -1, -1, -1], ("x",)),
        ([True, None], [0, -1], ("True",)),
        ([2, "2", "a", 1], [1, 1, 2, 0], ("1", "2", "a")),
        (np.array([b"m", b"f"]), [1, 0], ("f", "m")),
        (np.array(["m", "f"]), [1, 0], ("f", "m")),
        (torch.tensor([3, 1, 3]), [1, 0, 1], ("1", "3")),
        (pd.Series([1, None], dtype="Int64"), [0, -1], ("1",)),
        (pd.Series([1.0, None], dtype="Float64"), [0, -1], ("1",)),
        (pd.Series([True, None], dtype="boolean"), [0, -1], ("True",)),
        (pd.Categorical(["low", "?", "high"], categories=["low", "high", "?"]), [0, -1, 1], ("low", "high")),
        ([None, None], [-1, -1], ()),
        ([nan, nan], [-1, -1], ()),
        ([], [], ()),
    ],
)
def test_classes_are_named_as_written_and_what_is_missing_has_none(
    values: Any, codes: list[int], names: tuple[str, ...]
) -> None:
    assert classes(values) == (codes, names)


def test_numbers_are_a_quantity_when_they_are_broken_or_many() -> None:
    assert numbers([0.5, 1, nan]) == pytest.approx([0.5, 1, nan], nan_ok=True)
    assert numbers([0.5, float("inf")]) == pytest.approx([0.5, nan], nan_ok=True)
    assert numbers(list(range(21))) == list(range(21))
    assert len(classes(list(range(20)))[1]) == 20
    assert numbers(pd.Series([*range(30), None], dtype="Int64"))[-2:] == pytest.approx([29, nan], nan_ok=True)


def test_the_rule_can_be_overridden() -> None:
    assert numbers([3, 1, None], continuous=True) == pytest.approx([3, 1, nan], nan_ok=True)
    assert numbers(["3", "?", " 1.5"], continuous=True) == pytest.approx([3, nan, 1.5], nan_ok=True)
    assert numbers(pd.Categorical(["3", "1"]), continuous=True) == [3, 1]
    assert len(classes(list(range(50)), continuous=False)[1]) == 50
    with pytest.raises(DataError, match="'c' is to be continuous and holds 'old', which is no number"):
        as_column("c", ["3", "old"], continuous=True)


def test_large_ids_stay_apart() -> None:
    ids = [2**60 + step for step in range(30)]
    assert sorted(classes(ids)[0]) == list(range(30))
    assert len({float(one) for one in ids}) == 1, "as floats they would have been one"


@pytest.mark.parametrize(
    "values",
    [[[1], [2, 3]], [[1, 2], [3, 4]], "text", 3, [{"a": 1}], np.array([1j, 2]), [["a"], "b"], np.array([b"\xff"])],
    ids=str,
)
def test_what_is_no_column_is_told_in_one_line(values: Any) -> None:
    with pytest.raises(DataError, match="'c'") as caught:
        as_column("c", values)
    assert "\n" not in str(caught.value)


def test_columns_that_are_read_already_stay_as_they_are() -> None:
    column, quantity = Column(np.array([0]), ("a",)), Quantity(np.array([1.0]))
    assert as_column("c", column) is column
    assert as_column("c", quantity) is quantity


def test_taken_rows_keep_their_values_and_another_order_is_another_hash() -> None:
    column, quantity = Column(np.array([0, 1, -1]), ("a", "b")), Quantity(np.array([1.0, nan, 3]))
    rows = np.array([2, 0])
    assert column.take(rows).codes.tolist() == [-1, 0]
    assert quantity.take(rows).values.tolist() == [3, 1]
    assert (column.known.tolist(), quantity.known.tolist()) == ([True, True, False], [True, False, True])
    for one in (column, quantity):
        assert one.take(np.array([0, 1, 2])).sha256() == one.sha256()
        assert one.take(np.array([1, 0, 2])).sha256() != one.sha256()


def test_joint_classes_exist_where_rows_are_and_are_missing_where_either_is() -> None:
    sex, race = Column(np.array([0, 1, 1, -1, 0]), ("f", "m")), Column(np.array([1, 0, 1, 0, -1]), ("b", "w"))
    joint = intersect({"sex": sex, "race": race})
    assert joint.classes == ("f & w", "m & b", "m & w")
    assert joint.codes.tolist() == [0, 1, 2, -1, -1]
    nobody = intersect({"sex": sex.take(np.array([3, 4])), "race": race.take(np.array([3, 4]))})
    assert (nobody.codes.tolist(), nobody.classes) == ([-1, -1], ())


def test_every_column_of_a_table_is_read_and_the_ones_that_hold_lists_are_told() -> None:
    table = pd.DataFrame({"age": [20, 30], "sex": ["f", "m"], "boxes": [[1, 2], None]})
    values = {str(name): column for name, column in table.items()}
    columns, notes = label_columns(values, continuous=["age"], source="x.csv")
    assert list(columns) == ["age", "sex"]
    assert isinstance(columns["age"], Quantity)
    assert notes == ("column 'boxes' of x.csv was left out: it holds several values a row",)
    wrong: list[tuple[dict[str, Any], type[IreneError], str]] = [
        ({"continuous": ["agee"]}, UnknownNameError, "column of x.csv 'agee'.* mean 'age'"),
        ({"continuous": ["age"], "classes": ["age"]}, DataError, "'age' is named in both"),
        ({"classes": ["boxes"]}, DataError, "'boxes' holds values that are neither"),
    ]
    for options, kind, fact in wrong:
        with pytest.raises(kind, match=fact):
            label_columns(values, source="x.csv", **options)

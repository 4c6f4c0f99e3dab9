"""Columns of labels: what becomes classes, what a quantity, what is missing, and joint classes."""

from datetime import date, datetime, time
from decimal import Decimal
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from audit.column_names import several
from audit.data.cells import Written
from audit.data.columns import Column, Quantity, Undecided, intersect
from audit.data.labelled import labelled
from audit.data.reading import as_column, label_columns
from audit.errors import DataError, IreneError, UnknownNameError

nan = float("nan")


def written(cells: list[str]) -> Written:
    return Written(pd.Series(cells, dtype=str))


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
        (["x", None, "?", " ", nan], [0, -1, -1, -1, -1], ("x",)),
        (["x", "None", "NA", "nan"], [3, 1, 0, 2], ("NA", "None", "nan", "x")),
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
    assert numbers(list(range(21)), continuous=True) == list(range(21))
    assert len(classes(list(range(20)))[1]) == 20
    gap = pd.Series([*range(30), None], dtype="Int64")
    assert numbers(gap, continuous=True)[-2:] == pytest.approx([29, nan], nan_ok=True)


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


@pytest.mark.parametrize(
    ("own", "other", "wanted"),
    [
        (["No", "YES ", "no"], ["no", "yes", "no"], [0, 1, 0]),
        ([False, True, None], [0, 1, 1], [0, 1, -1]),
        ([0, 1, 2], [True, False, True], [0, 1, -1]),
        (["1.0", "0.00", "+1"], [1, 0, 1], [1, 0, 1]),
        (["10", "100", "1"], [100, 10, 10], [0, 1, -1]),
        (["1", "True", "01"], ["True", "1", "a"], [0, 1, -1]),
    ],
    ids=str,
)
def test_a_class_is_the_one_of_its_name_or_else_the_only_one_of_its_meaning(
    own: list[Any], other: list[Any], wanted: list[int]
) -> None:
    said, target = as_column("said", own), as_column("y", other)
    assert isinstance(said, Column) and isinstance(target, Column)
    assert said.codes_among(target.classes).tolist() == wanted


def test_joint_classes_exist_where_rows_are_and_are_missing_where_either_is() -> None:
    sex, race = Column(np.array([0, 1, 1, -1, 0]), ("f", "m")), Column(np.array([1, 0, 1, 0, -1]), ("b", "w"))
    joint = intersect({"sex": sex, "race": race})
    assert joint.classes == ("f & w", "m & b", "m & w")
    assert joint.codes.tolist() == [0, 1, 2, -1, -1]
    nobody = intersect({"sex": sex.take(np.array([3, 4])), "race": race.take(np.array([3, 4]))})
    assert (nobody.codes.tolist(), nobody.classes) == ([-1, -1], ())


def test_joint_classes_have_names_of_their_own_whatever_their_parts_are_called() -> None:
    every = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    for first, second, names in (
        (("a & b", "a"), ("c", "b & c"), ("'a & b' & c", "'a & b' & 'b & c'", "a & c", "a & 'b & c'")),
        (("a &", "a"), ("b", "& b"), ("'a &' & b", "'a &' & '& b'", "a & b", "a & '& b'")),
        (("R&D", "a"), ("b", "c"), ("R&D & b", "R&D & c", "a & b", "a & c")),
    ):
        joint = intersect({"u": Column(every[0], first), "v": Column(every[1], second)})
        assert joint.classes == names
        assert joint.codes.tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match=r"Two joint classes of u\+v are called 'a & b'. Rename a class"):
        intersect({"u": Column(every[0], ("a", "a")), "v": Column(every[1], ("b", "c"))})


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


@pytest.mark.parametrize(
    ("values", "fact"),
    [
        (list(range(529)), "529 different whole numbers"),
        ([float(one) for one in range(100, 130)], "30 different whole numbers"),
        (pd.Series([*range(25), None], dtype="Int64"), "25 different whole numbers"),
        (written([*map(str, range(10_000, 10_040)), "NA", ""]), "40 different whole numbers"),
        ([str(one) for one in range(25)], "25 different numbers as text"),
        ([f"{one},5" for one in range(30)], "numbers with a comma, such as '0,5'"),
        (written([f"1,{one:03}" for one in range(30)]), "numbers with a comma, such as '1,000'"),
        ([*map(str, range(18, 60)), "60+"], "43 different numbers, with other cells or other writing among them"),
        ([*range(18, 60), "60+"], "such as '60+'"),
        ([f"{one} years" for one in range(18, 60)], "such as '18 years'"),
        ([f"1,{one},567" for one in range(200, 240)], "40 different numbers"),
        ([f"12'{one}" for one in range(300, 340)], "40 different numbers"),
        (written([f"12 {one}" for one in range(300, 340)]), "40 different numbers"),
        ([f"${one}.20" for one in range(40)], "such as '$0.20'"),
        ([f"EUR {one}" for one in range(40)], "such as 'EUR 0'"),
        ([f"{one / 2}%" for one in range(40)], "40 different numbers"),
        (written([f"({one}.50)" if one % 2 else f"{one}.50" for one in range(40)]), "such as '(1.50)'"),
        (written([f"\u2212{one}.5" if one % 2 else f"{one}.5" for one in range(40)]), "such as"),
        (written([*[f"{one}.5" for one in range(40)], "inf"]), "40 different numbers"),
        (["30", "31"] * 300 + [*map(str, range(60))] + [f"word {chr(97 + one)}" for one in range(25)], "'word a'"),
        (["nothing"] * 300 + [f"{one}.5" for one in range(40)], "such as 'nothing'"),
        (["18"] * 300 + [*map(str, range(25))] + [f"in words, {chr(97 + one)}" for one in range(26)], "such as 'in"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_many_numbers_that_may_be_codes_are_a_question(values: Any, fact: str) -> None:
    column = as_column("OCCP", values)
    assert isinstance(column, Undecided)
    assert fact in column.fact
    assert isinstance(as_column("OCCP", values, continuous=False), Column)
    data = labelled(torch.zeros(len(column), 1), {"OCCP": values})
    for kind in ("private", "kept"):
        with pytest.raises(DataError, match=r"column 'OCCP' holds .* Say which: --classes OCCP or --continuous OCCP"):
            data.attribute("OCCP", kind)
    assert len(data.column("OCCP", "task").classes) >= 25, "a task has classes: there is nothing to ask"
    assert isinstance(labelled(data.inputs, {"OCCP": values}, classes="OCCP").attribute("OCCP", "private"), Column)


YEARS = [1940 + one for one in range(30)]
DATES = pd.Series(pd.to_datetime([f"{one}-07-01 12:00" for one in YEARS]))
DAYS = [(date(one, 7, 1) - date(1970, 1, 1)).days + 0.5 for one in YEARS]
HOURS = list(range(24))


@pytest.mark.parametrize(
    ("values", "days"),
    [
        (DATES, DAYS),
        (DATES.dt.tz_localize("UTC"), DAYS),
        (DATES.dt.tz_localize("Etc/GMT+12"), [one + 0.5 for one in DAYS]),
        (DATES.astype("datetime64[s]").to_numpy(), DAYS),
        (DATES.to_numpy().astype("datetime64[D]"), [one - 0.5 for one in DAYS]),
        (pd.Categorical(DATES), DAYS),
        ([date(one, 7, 1) for one in YEARS], [one - 0.5 for one in DAYS]),
        ([datetime(one, 7, 1, 12) for one in YEARS], DAYS),
        (pd.PeriodIndex([f"{one}-07" for one in YEARS], freq="M"), [one - 0.5 for one in DAYS]),
        (
            pd.PeriodIndex([str(one) for one in YEARS], freq="Y"),
            [(date(one, 1, 1) - date(1970, 1, 1)).days for one in YEARS],
        ),
        (pd.Series(pd.to_timedelta(YEARS, unit="h")), [one / 24 for one in YEARS]),
        (np.array(YEARS, dtype="timedelta64[m]"), [one / 1440 for one in YEARS]),
        ([time(one, 30) for one in HOURS], [(one + 0.5) / 24 for one in HOURS]),
        ([f"{one}-07-01" for one in YEARS], [one - 0.5 for one in DAYS]),
        (written([f"{one}-07" for one in YEARS]), [one - 0.5 for one in DAYS]),
        (written([f"{one}-07-01T12:00:00Z" for one in YEARS]), DAYS),
        (pd.Categorical([f"{one}-07-01 12:00" for one in YEARS]), DAYS),
        (written([f"{one:02}:30" for one in HOURS]), [(one + 0.5) / 24 for one in HOURS]),
        (written([f"{one}:30:00.5" for one in HOURS]), [(one + 0.5) / 24 + 0.5 / 86400 for one in HOURS]),
    ],
)
def test_many_dates_times_and_durations_are_a_question_and_as_a_quantity_days(values: Any, days: list[float]) -> None:
    column = as_column("born", values)
    assert isinstance(column, Undecided)
    assert column.fact == f"holds {len(days)} different dates, times or durations"
    assert len(as_column("born", values, continuous=False).classes) == len(days)  # type: ignore[union-attr]
    data = labelled(torch.zeros(len(days), 1), {"born": values})
    with pytest.raises(DataError, match=r"Say which: --classes born or --continuous born; if it tells people apart"):
        data.attribute("born", "private")
    read = labelled(data.inputs, {"born": values}, continuous="born").attribute("born", "private")
    assert isinstance(read, Quantity)
    np.testing.assert_allclose(read.values, days, rtol=0, atol=1e-6)
    assert (
        read.remarks.words[0] == "'born' of arrays was read in days, a date since 1970-01-01 and a time since midnight"
    )


def test_dates_that_are_missing_or_stand_for_none_are_no_days() -> None:
    dates = [*(f"{one}-{month:02}-01" for one in YEARS for month in (1, 2, 3)), *["1800-01-01"] * 30, "", "NA", "?"]
    for values in (dates, written(dates)):
        read = as_column("born", values, continuous=True)
        assert isinstance(read, Quantity)
        assert int((~read.known).sum()) == 3
        assert "holds -62091 in 30 rows, far from all other numbers" in read.question
        for word in ("-62091", "1800-01-01"):
            said = as_column("born", values, continuous=True, missing=["?", word])
            assert isinstance(said, Quantity)
            assert (int((~said.known).sum()), said.question) == (33, "")
    typed = pd.Series([*DATES, pd.NaT])
    assert np.isnan(numbers(typed, continuous=True)[-1])
    assert isinstance(as_column("month", DATES[:20]), Column), "a few are classes, as a few whole numbers are"


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("01.05.{}", "Write a date as 1990-05-31"),
        ("5/1/{}", "Write a date as 1990-05-31"),
        ("1.{} Uhr", "Write it as a plain number"),
        ("118/{}", "Write it as a plain number"),
        ("5'{}\"", "Write it as a plain number"),
        ("{0}-{0}", "Write it as a plain number"),
        ("age_{}", "Write it as a plain number"),
        ("approx. age {} years", "Write it as a plain number"),
        ("1,{},000,00", "Write it as a plain number"),
        ("a{}", "Write it as a plain number"),
        ("3f{}e", "Write it as a plain number"),
        ("0{} m", "Write it as a plain number"),
        ("{}-13-01", "Write a date as 1990-05-31"),
    ],
)
def test_many_texts_with_digits_are_a_question_and_need_other_writing_for_a_quantity(cell: str, hint: str) -> None:
    cells = [cell.format(one) for one in YEARS]
    for values in (cells, written(cells), pd.Categorical(cells), [*cells, "00"], [*cells, *["none of it"] * 20]):
        column = as_column("age", values)
        assert isinstance(column, Undecided)
        assert not column.is_plain
        assert isinstance(as_column("age", values, continuous=False), Column)
    with pytest.raises(
        DataError, match=r"or --continuous age, for which its cells have to be written as plain numbers"
    ):
        labelled(torch.zeros(30, 1), {"age": cells}).attribute("age", "private")
    with pytest.raises(DataError, match=f"{hint}, name it in `missing`"):
        as_column("age", cells, continuous=True)


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("values", [YEARS, [one + 0.5 for one in YEARS], [str(one) for one in YEARS]], ids=str)
def test_many_categories_that_are_numbers_are_a_question(values: list[Any], ordered: bool) -> None:
    given = pd.Categorical(values, ordered=ordered)
    column = as_column("age", given)
    assert isinstance(column, Undecided)
    assert (column.fact, column.is_plain) == ("holds 30 different numbers as categories", True)
    assert numbers(given, continuous=True) == [float(one) for one in values]
    few = pd.Categorical(values[:20], categories=values, ordered=ordered)
    assert isinstance(as_column("age", few), Column), "categories that no row has are none"
    assert isinstance(as_column("age", pd.Series(pd.cut(YEARS, 25))), Undecided)


def test_what_is_clear_is_not_asked() -> None:
    assert isinstance(as_column("c", [0.5, *range(30)]), Quantity)
    assert isinstance(as_column("c", written(["0.5", "NA", *map(str, range(30))])), Quantity)
    for clear in (
        [f"{one:05}" for one in range(30)],
        [f"a{one}" for one in range(20)],
        [f"1960-01-{one:02}" for one in range(1, 21)],
        [f"{one}+" for one in range(20)],
        [*(f"a{one}" for one in range(21)), *(f"place of {chr(65 + one)}" for one in range(30))],
        [*map(str, range(20)), *(f"place of {chr(65 + one)}" for one in range(30))],
        [2**60 + one for one in range(30)],
    ):
        assert isinstance(as_column("c", clear), Column)
        assert isinstance(as_column("c", written(list(map(str, clear)))), Column)
    with pytest.raises(DataError, match=r"holds '3,5', which is no number. Write a point for the comma"):
        as_column("c", ["3,5", "4"], continuous=True)


def test_classes_that_are_numbers_are_in_the_order_of_their_numbers() -> None:
    for values in (
        [str(one) for one in range(12)],
        written([str(one) for one in range(12)]),
        np.arange(12).astype(str),
    ):
        assert classes(values) == (list(range(12)), tuple(str(one) for one in range(12)))
    assert classes(["10", "-2.5", "9", "-10"])[1] == ("-10", "-2.5", "9", "10")
    assert classes(["10", "9", "other"])[1] == ("10", "9", "other"), "as text, as everybody else sorts them"
    assert classes(pd.Categorical(["10", "9"], categories=["10", "9"]))[1] == ("10", "9"), "an order of its own"


WORDS = ["None", "NA", "nan", "unknown", "N/A", "null", "-"]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_that_often_means_missing_is_a_class_unless_it_is_said_and_told_in_both_cases(word: str) -> None:
    values = ["x"] * 30 + [word] * 40 + [""] * 5 + ["y"] * 3
    for given in (values, np.array(values), pd.Series(values), pd.Categorical(values), written(values)):
        column = as_column("sex", given, source="people.csv")
        assert isinstance(column, Column)
        assert word in column.classes
        assert int((~column.known).sum()) == 5
        assert column.remarks.words == (
            f"'sex' of people.csv: {word!r} in 40 rows counts as a class "
            f"(`--missing {word}` if it says that there is none)",
        )
        gone = as_column("sex", given, missing=[word.upper()])
        assert isinstance(gone, Column)
        assert (gone.classes, int((~gone.known).sum())) == (("x", "y"), 45)
        assert "40 rows counts as missing" in gone.remarks.words[0]


def test_a_question_mark_is_missing_until_other_words_are_named() -> None:
    assert classes(["a", "?"])[1] == ("a",)
    assert classes(["a", "?"], missing=[])[1] == ("?", "a")
    assert classes([1, -9, 2], missing=["-9"])[1] == ("1", "2")
    assert numbers([0.5, -9.0, 2], missing=["-9"]) == pytest.approx([0.5, nan, 2], nan_ok=True)


def test_the_usual_words_are_no_numbers_of_a_quantity_and_are_told() -> None:
    column = as_column("age", written(["31.5", "NA", "40", "", "none"]), source="x.csv")
    assert isinstance(column, Quantity)
    np.testing.assert_array_equal(column.values, [31.5, nan, 40, nan, nan])
    assert column.remarks.words[0] == "'age' of x.csv: 'NA' in fewer than 10 rows is no number and counts as missing"
    assert classes(written(["1", "NA", "2", ""])) == ([0, 2, 1, -1], ("1", "2", "NA")), "few numbers are classes"


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["Male", "Male ", "male"], "Male"),
        (["Male", "\u00a0Male", "MALE"], "Male"),
        (["caf\u00e9", "cafe\u0301"], "caf\u00e9"),
        (["f", "f\0", "\ufefff", "F"], "f"),
        (["not  said", "not said", "not\u00a0said"], "not  said"),
        (["True", "TRUE", "true"], "True"),
    ],
)
def test_spellings_of_one_class_are_merged_named_by_the_most_frequent_and_told(spellings: list[str], name: str) -> None:
    values = [spellings[0]] * 30 + [one for one in spellings[1:] for _ in range(12)] + ["other"] * 5
    for given in (values, pd.Series(values), pd.Categorical(values), written(values)):
        column = as_column("sex", given, source="x.csv")
        assert isinstance(column, Column)
        assert set(column.classes) == {name, "other"}
        assert np.bincount(column.codes)[column.classes.index(name)] == len(values) - 5
        (note,) = column.remarks.merged
        assert note.startswith("'sex' of x.csv spells classes in several ways: ")
        assert "(12 rows)" in note and f"read as {name!r}" in note


def test_few_rows_of_another_spelling_are_not_counted_out() -> None:
    column = as_column("sex", ["Male"] * 30 + ["male"] * 3)
    assert "'male' (fewer than 10 rows) read as 'Male'" in column.remarks.merged[0]  # type: ignore[union-attr]
    assert as_column("sex", ["m ", "f "]).remarks.merged == (), "nothing was merged"  # type: ignore[union-attr]


def test_booleans_are_the_same_classes_however_a_file_writes_them() -> None:
    wanted = ([1, 0, 1, -1], ("False", "True"))
    assert classes([True, False, True, None]) == wanted
    assert classes(written(["TRUE", "FALSE", "TRUE", ""])) == wanted
    assert classes(written(["true", "False", "True", "?"])) == wanted
    assert classes(pd.Series([True, False, True, None], dtype="boolean")) == wanted


def test_numbers_are_one_class_however_they_are_written() -> None:
    assert classes(written(["1", "1.0", "2", "+2", ""])) == ([0, 0, 1, 1, -1], ("1", "2"))
    assert classes([1, 1.0, "1", True]) == ([0, 0, 0, 1], ("1", "True"))
    assert classes(written(["01", "1", "02"])) == ([0, 1, 2], ("01", "1", "02")), "a code keeps its zero"
    exact = [str(2**60 + one) for one in range(5)]
    assert len(classes(written([*exact, ""]))[1]) == len(classes([*map(int, exact), None])[1]) == 5


@pytest.mark.parametrize("word", ["unknown", "other"])
def test_numbers_beside_a_word_are_one_class_however_they_are_written_and_told(word: str) -> None:
    cells = ["1"] * 20 + ["1.0"] * 30 + ["0"] * 12 + ["0.0"] * 11 + [word] * 15
    column = as_column("y", written(cells), source="x.csv")
    assert isinstance(column, Column)
    assert (column.classes, np.bincount(column.codes).tolist()) == (("0", "1", word), [23, 50, 15])
    assert column.remarks.merged == (
        "'y' of x.csv spells classes in several ways: '1.0' (30 rows) read as '1'; '0.0' (11 rows) read as '0'",
    )
    assert as_column("y", written(cells[:-15])).remarks.merged == ()  # type: ignore[union-attr]
    sums = as_column("sum", written(["12e3", "12000", "a3f"]))
    assert isinstance(sums, Column)
    assert (sums.classes, sums.remarks.all) == (
        ("12000", "12e3", "a3f"),
        ("'sum' has different classes '12000' and '12e3'; write alike what is one",),
    )


@pytest.mark.parametrize(
    ("values", "names", "told"),
    [
        ([True, 1, "True", 0, False], ("0", "1", "False", "True"), "'0' and 'False'; '1' and 'True'"),
        (["1", "1.0", "2"], ("1", "1.0", "2"), "'1' and '1.0'"),
        (written(["true", "1", "0"]), ("0", "1", "true"), "'1' and 'true'"),
    ],
)
def test_classes_that_may_be_one_are_told(values: Any, names: tuple[str, ...], told: str) -> None:
    column = as_column("y", values)
    assert isinstance(column, Column)
    assert sorted(column.classes) == sorted(names)
    assert column.remarks.words == (f"'y' has different classes {told}; write alike what is one",)
    for clear in ([True, False], [1, 1.0, 0], ["a", "1"], written(["01", "1"])):
        assert as_column("y", clear).remarks.words == ()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Male", "\u041cale"),
        ("Male", "\uff2dale"),
        ("Male", "Ma\u200ble"),
        ("Male", "m\u0430l\u00ade"),
        ("Omega", "\u039fmega"),
        ("non-binary", "non\u2010binary"),
        ("don't know", "don\u2019t know"),
    ],
)
def test_classes_that_look_alike_are_told_letter_by_letter(one: str, other: str) -> None:
    column = as_column("y", [one, other, "Female", "\u00e9t\u00e9", "ete"])
    assert isinstance(column, Column)
    assert {one, other} <= {*column.classes}, "what they are is for people to say"
    (told,) = [word for word in column.remarks.words if "has different classes" in word]
    assert ascii(one) in told and ascii(other) in told and told.isascii() and ";" in told and "Female" not in told


@pytest.mark.parametrize("cells", [[b"m\xe9", b"m\xe8"], np.array([b"m\xe9", b"m\xe8"])])
def test_bytes_that_are_no_utf_8_do_not_become_one_class(cells: Any) -> None:
    with pytest.raises(DataError, match=r"'y' holds bytes that are no UTF-8, .*decode\('latin-1'\)"):
        as_column("y", cells)
    assert classes([b"m", "\u00e9".encode()]) == ([0, 1], ("m", "\u00e9"))
    columns, notes = label_columns({"raw": pd.Series([b"\xff\xd8", b"\xff\xd9"], dtype=object)}, source="x.parquet")
    assert (columns, notes) == ({}, ("column 'raw' of x.parquet was left out: it holds bytes that are no text",))


def test_ids_are_told_apart_by_their_exact_spelling_and_keep_every_digit() -> None:
    x = torch.zeros(6, 1)
    ids = [str(10**17 + one) for one in range(5)] + [""]
    for given in (ids, written(ids), [*map(int, ids[:5]), None], pd.Series([*map(int, ids[:5]), None], dtype="Int64")):
        data = labelled(x, {"id": given})
        assert len(np.unique(data.grouped_by("id").groups())) == 6
        assert "each taken for a group of its own: 1 of 6" in data.grouped_by("id").notes[0]
        assert len(np.unique(labelled(x, {}, group=given, group_name="person").groups())) == 6
    cases = labelled(x, {"id": ["aB", "ab", "AB", "c ", "c", "d"]}).grouped_by("id")
    assert cases.groups().tolist()[:3] != cases.groups().tolist()[:1] * 3
    assert len(np.unique(cases.groups())) == 5, "blanks around an id are no part of it, letter case is"
    same = labelled(x, {"id": written(["1234.0", "1234", "0012", "12", "7", "7.0"])}).grouped_by("id")
    assert len(np.unique(same.groups())) == 6, "a code among them makes all of them text"
    same = labelled(x, {"id": written(["1234.0", "1234", "12", "12", "7", "7.0"])}).grouped_by("id")
    assert len(np.unique(same.groups())) == 3


@pytest.mark.parametrize(
    "ids", [np.array([1e17, 1e17 + 16, np.nan]), written(["1.23457E+17", "1.23456E+17", "3"]), [1e17, 2e17, None]]
)
def test_ids_that_a_float_or_a_spreadsheet_has_rounded_are_refused(ids: Any) -> None:
    with pytest.raises(DataError, match=r"Group column 'id' holds numbers above .* as floats, .* Save the ids as text"):
        labelled(torch.zeros(3, 1), {"id": ids}).grouped_by("id")


@pytest.mark.parametrize("text", ["1" * 300_000 + "x", " " * 300_000 + "x" + " " * 300_000 + "x", "1," * 150_000])
def test_a_long_cell_is_read_in_a_moment(text: str) -> None:
    started = process_time()
    assert len(classes(written([text, "a", "b"]))[1]) == 3
    assert process_time() - started < 5  # a match that is tried anew from each character takes minutes


@pytest.mark.parametrize(
    ("value", "told"),
    [(10**401, "a whole number of more than"), ("a\ud800", "half a character"), (Decimal("sNaN"), "sNaN")],
)
def test_values_that_no_table_holds_are_told_in_one_line(value: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        as_column("c", [value, 1, 2])
    with pytest.raises(DataError, match=told):
        labelled(torch.zeros(3, 2), {"y": [1, 2, 3]}, group=[value, 1, 2])


@pytest.mark.parametrize("name", [3, None, ["y", 3]])
def test_a_name_that_is_no_text_is_told_in_one_line(name: Any) -> None:
    with pytest.raises(IreneError, match="A name is a text"):
        several(name)

"""Codes for no value: asked about in a quantity, told of among classes, and nothing else is taken for one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from audit.data.cells import Floats, Written
from audit.data.columns import Column, Quantity
from audit.data.labelled import labelled
from audit.data.reading import as_column
from audit.errors import DataError

N = 1200
AGES = np.random.default_rng(0).uniform(20, 60, N)


def with_codes(codes: list[float], *, values: Floats = AGES, rows: int = 60) -> Floats:
    """Return values of which so many rows are each of the codes instead."""
    made = values.copy()
    for place, code in enumerate(codes):
        made[place * rows : (place + 1) * rows] = code
    return made


def asked(values: Any, **options: Any) -> str:
    """Return the question that an audit of the column ends in; empty if there is none."""
    data = labelled(torch.zeros(len(values), 1), {"age": values}, **options)
    try:
        data.attribute("age", "private")
    except DataError as error:
        return str(error)
    return ""


SKEWED = np.random.default_rng(1).lognormal(8, 1, N)
STEPS = np.repeat(np.arange(0, 90, 0.5), 7)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (with_codes([-999]), "-999 in 60 rows"),
        (with_codes([999]), "999 in 60 rows"),
        (with_codes([9999]), "9999 in 60 rows"),
        (with_codes([-1]), "-1 in 60 rows"),
        (with_codes([99]), "99 in 60 rows"),
        (with_codes([-999, 9999]), "-999, 9999 in 120 rows"),
        (with_codes([-997, -998, -999]), "-999, -998, -997 in 180 rows"),
        (with_codes([-9, -8, -2, -1]), "-9, -8, -2, -1 in 240 rows"),
        (with_codes([-1], values=STEPS), "-1 in 60 rows"),
        (with_codes([-9], values=SKEWED), "-9 in 60 rows"),
        (with_codes([12345.5]), "12345.5 in 60 rows"),
        (with_codes([1e6], rows=3), "1000000 in fewer than 10 rows"),
        (with_codes([-999], rows=1), "-999 in fewer than 10 rows"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_code_in_a_quantity_is_asked_about_and_either_answer_is_heard(values: Floats, named: str) -> None:
    codes = named[: named.index(" in ")].replace(" ", "")
    told = asked(values)
    assert told == (
        f"Private column 'age' holds {named}, far from all other numbers, as codes for no value are. "
        f"Say --missing {codes} if there is none, or --continuous age with --missing ? if it is a number."
    )
    assert asked(pd.Series(values, dtype=object)) == told
    assert asked(Written(pd.Series(values).map("{:g}".format)), continuous="age") == told, "not answered by its kind"
    assert f"--missing NA,{codes} if there is none, or --continuous age if" in asked(values, missing="NA")
    numbers = [float(one) for one in codes.split(",")]
    gone = as_column("age", values, missing=codes.split(","))
    assert isinstance(gone, Quantity)
    assert gone.question == ""
    np.testing.assert_array_equal(gone.known, ~np.isin(values, numbers))
    real = as_column("age", values, continuous=True, missing=["?"], source="x.csv")
    assert isinstance(real, Quantity)
    assert real.question == ""
    assert real.known.all()
    assert sorted(note.split("'")[3] for note in real.remarks.words) == sorted(codes.split(","))
    assert all("rows counts as a number, far from all others" in note for note in real.remarks.words)


@pytest.mark.parametrize(
    "values",
    [
        AGES,
        SKEWED,
        STEPS,
        with_codes([0.0], values=SKEWED),
        with_codes([60.0]),
        with_codes([1e6], rows=2),
        np.random.default_rng(0).normal(size=N).round(1),
        np.repeat([0.1, 1, 10], 100),
        np.repeat([-2, -1, 0, 0.5, 1, 2], 100),
        np.random.default_rng(0).standard_cauchy(N),
        np.repeat(np.append(np.arange(18.5, 90), 99), 5),
    ],
    ids=["even", "skewed", "steps", "no-income", "highest", "two-stray", "normal", "doses", "scale", "cauchy", "old"],
)
def test_an_honest_quantity_is_not_asked_about(values: Floats) -> None:
    assert asked(values) == ""
    assert asked(values, continuous="age") == ""


def test_whole_ages_with_a_code_are_asked_about_after_they_are_said_to_be_a_quantity() -> None:
    whole = with_codes([-999], values=AGES.round())
    assert "--classes age or --continuous age" in asked(whole)
    assert "holds -999 in 60 rows" in asked(whole, continuous="age")
    assert asked(whole, continuous="age", missing="-999") == ""
    assert labelled(torch.zeros(N, 1), {"age": whole}).attribute("age", "task") is not None, "a task has classes"


@pytest.mark.parametrize(
    ("codes", "others"),
    [
        (["-1"], ["0", "1"]),
        (["9"], ["1", "2"]),
        (["99"], [str(one) for one in range(1, 18)]),
        (["-9"], ["1", "2", "3"]),
        (["999"], ["0", "1", "2"]),
        (["-9", "-8"], ["0", "1"]),
        (["7", "8", "9"], ["1", "2"]),
        (["99"], ["01", "02"]),
        (["9", "-1"], ["f", "m"]),
        (["9"], ["1", "2", "unknown"]),
    ],
    ids=str,
)
def test_a_code_among_classes_stays_a_class_and_is_told(codes: list[str], others: list[str]) -> None:
    cells = [one for one in [*codes, *others] for _ in range(20)]
    column = as_column("sex", Written(pd.Series(cells)), source="x.csv")
    assert isinstance(column, Column)
    assert set(column.classes) == {*codes, *others}
    noted = [*codes, *(one for one in others if one == "unknown")]
    assert sorted(column.remarks.words) == sorted(
        f"'sex' of x.csv: {one!r} in 20 rows counts as a class (`--missing {one}` if it says that there is none)"
        for one in noted
    )
    gone = as_column("sex", Written(pd.Series(cells)), missing=noted)
    assert isinstance(gone, Column)
    assert set(gone.classes) == {*others} - {"unknown"}
    if all(one.lstrip("-").isdigit() and one[0] != "0" for one in cells):
        typed = as_column("sex", [int(one) for one in cells], source="x.csv")
        assert isinstance(typed, Column)
        assert typed.remarks.words == column.remarks.words


@pytest.mark.parametrize(
    "values", [[-1, 1], [0, 1], range(10), range(1, 10), [1, 9], [-2, -1, 0, 1, 2], [*range(6), 7], ["a", "1"], [5, 9]]
)
def test_usual_classes_are_not_told_of(values: Any) -> None:
    column = as_column("sex", [*values] * 20)
    assert isinstance(column, Column)
    assert column.remarks.words == ()


@pytest.mark.parametrize(
    "word", ["k.A.", "Unbekannt", "N.A", "\u4e0d\u660e", "nicht  bekannt", "inconnu", "DESCONOCIDO"]
)
def test_a_word_for_missing_of_another_language_is_told(word: str) -> None:
    column = as_column("sex", ["f", "m", word] * 20)
    assert isinstance(column, Column)
    assert column.remarks.words == (
        f"'sex': {word!r} in 20 rows counts as a class (`--missing {word}` if it says that there is none)",
    )
    ages = as_column("age", Written(pd.Series(["20.5", "31", word])))
    assert isinstance(ages, Quantity)
    assert ages.known.tolist() == [True, True, False]

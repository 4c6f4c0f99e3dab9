"""The order of a model's outputs: named by somebody, or found out to be another one."""

import numpy as np
import pytest
import torch

from audit.data.class_order import BetterOrder, better_order, in_words
from audit.data.columns import MISSING, Column, Ints
from audit.data.labelled import LabelledData, labelled
from audit.errors import DataError, UnknownNameError

N = 600
HALVES = np.arange(0, N, 2), np.arange(1, N, 2)


def rows(values: list[str | None]) -> LabelledData:
    return labelled(torch.zeros(len(values), 1), {"y": values})


def drawn(k: int, seed: int = 0) -> Ints:
    return np.random.default_rng(seed).integers(0, k, N).astype(np.int64)


def found(y: Ints, answers: Ints, k: int) -> BetterOrder | None:
    return better_order(Column(y, tuple(f"c{place}" for place in range(k))), answers, *HALVES)


def test_classes_take_the_order_that_is_named_and_rows_keep_their_class() -> None:
    data = rows(["b", "a", None, "c", "b"]).in_order("y", ["c", "x", "b", "a"])
    column = data.column("y", "task")
    assert column.classes == ("c", "x", "b", "a")
    assert column.codes.tolist() == [2, 3, MISSING, 0, 2]
    assert data.ordered == ("y",)
    assert data.take(np.array([3, 0])).ordered == ("y",)


def test_what_is_to_know_of_the_cells_of_a_column_stays_where_its_classes_are_ordered() -> None:
    data = rows(["Yes", "yes", "no", "?", "n/a", "no"])
    remarks = data.column("y", "task").remarks
    assert remarks.words and remarks.merged
    assert data.in_order("y", data.column("y", "task").classes[::-1]).column("y", "task").remarks == remarks


@pytest.mark.parametrize(
    ("order", "fact"),
    [(["a", "b"], "lacks 'c'"), (["a", "b", "b", "c"], "names 'b' twice"), ([], "lacks 'a', 'b', 'c'")],
)
def test_an_order_that_leaves_a_class_out_or_names_one_twice_is_refused(order: list[str], fact: str) -> None:
    with pytest.raises(DataError, match=fact):
        rows(["a", "b", "c"]).in_order("y", order)


def test_an_order_of_no_such_column_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'y'"):
        rows(["a", "b"]).in_order("yy", ["a", "b"])


def test_inverted_answers_are_seen() -> None:
    y = drawn(2)
    noisy = np.where(np.random.default_rng(1).random(N) < 0.05, y, 1 - y)
    order = found(y, noisy, 2)
    assert order is not None and order.classes == ("c1", "c0")
    assert order.accuracy == pytest.approx(0.95, abs=0.03) and order.as_it_is == pytest.approx(0.05, abs=0.03)
    assert "in the order c1,c0" in order.describe("y") and "--task-classes" in order.describe("y")


def test_outputs_in_the_order_of_text_are_seen() -> None:
    """The twelve classes 0 … 11, taken as 0, 1, 10, 11, 2, …"""
    names = sorted(map(str, range(12)))
    y = drawn(12)
    target = Column(np.array([names.index(str(one)) for one in y]), tuple(names))
    order = better_order(target, y, *HALVES)
    assert order is not None
    assert (order.classes, order.accuracy) == (tuple(map(str, range(12))), 1.0)


@pytest.mark.parametrize("k", [2, 10, 60])
def test_answers_that_know_nothing_have_no_better_order(k: int) -> None:
    for seed in range(20):
        assert found(drawn(k, seed), drawn(k, seed + 100), k) is None


def test_neither_good_answers_nor_one_for_all_rows_have_a_better_order() -> None:
    y = drawn(3)
    assert found(y, y, 3) is None
    rare = np.where(np.arange(N) % 20 == 0, 0, 1)
    assert found(rare, np.zeros(N, dtype=np.int64), 2) is None, "the other answer is right in 95 %, and is no better"


def test_very_many_classes_are_not_all_named() -> None:
    assert in_words(["a", "b"]) == "a,b"
    assert in_words([str(one) for one in range(43)]).endswith("38,39 and 3 more")

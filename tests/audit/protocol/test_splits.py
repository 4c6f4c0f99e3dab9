"""Whole groups on one side each, classes spread, and a count of what is there."""

from dataclasses import replace

import numpy as np
import pytest
from support.planted import FEW, classes, labels

from audit.data.columns import Column, Quantity
from audit.errors import DataError
from audit.protocol.splits import at_most, class_rows, split_rows, split_subset, without_rare


def test_no_group_is_in_two_splits_and_every_row_is_in_one() -> None:
    groups = np.repeat(np.arange(100), 7)
    splits = split_rows(groups, [classes(labels(700))], seed=0)
    parts = [set(groups[rows]) for rows in splits.rows]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert sorted(np.concatenate(splits.rows)) == list(range(700))
    assert [len(part) for part in parts] == [50, 20, 30]


def test_splits_depend_on_the_seed_alone() -> None:
    v = classes(labels(500))
    first, again, other = (split_rows(np.arange(500), [v], seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_classes_fifths_of_a_quantity_and_missing_values_are_spread_evenly() -> None:
    generator = np.random.default_rng(0)
    v, ages = labels(1000, share=0.1), generator.exponential(size=1000)
    v[:100], ages[100:200] = -1, np.nan
    splits = split_rows(np.arange(1000), [Column(v, ("a", "b")), Quantity(ages)], seed=0)
    for rows, share in zip(splits.rows, (0.5, 0.2, 0.3), strict=True):
        for members in (v == -1, v == 1, np.isnan(ages), ages > np.nanquantile(ages, 0.8)):
            assert members[rows].sum() == pytest.approx(share * members.sum(), abs=8)


@pytest.mark.parametrize("rare", [1, 4, 9])
def test_classes_too_rare_to_spread_do_not_stop_the_split(rare: int) -> None:
    v = np.concatenate([np.zeros(300), np.ones(rare)]).astype(np.int64)
    assert len(split_rows(np.arange(300 + rare), [classes(v)], seed=0).train) == pytest.approx(152, abs=3)


def test_cells_that_are_all_too_rare_to_spread_do_not_stop_the_split() -> None:
    several = [classes(labels(60, k=9, seed=seed)) for seed in range(3)]
    assert sum(map(len, split_rows(np.arange(60), several, seed=0).rows)) == 60


def test_fewer_groups_than_the_splits_need_are_refused() -> None:
    with pytest.raises(DataError, match=r"50 rows form 5 groups; three splits need at least 10"):
        split_rows(np.repeat(np.arange(5), 10), [classes(labels(50))], seed=0)


def test_a_class_of_too_few_people_is_refused_with_the_number_of_people() -> None:
    groups = np.repeat(np.arange(11), 40)
    column = Column((groups > 8).astype(np.int64), ("a", "b"))
    rows = split_rows(groups, [column], seed=0).rows
    told = r"'b' has 80 in all; the 440 rows are of 11 groups, each whole in one split\."
    with pytest.raises(DataError, match=told):
        class_rows("v", without_rare(column, rows, 10), rows, 10, groups)


def test_rows_that_are_drawn_have_a_value_and_stay_on_their_side() -> None:
    splits = split_rows(np.arange(400), [classes(labels(400))], seed=0)
    known = np.arange(400) % 3 > 0
    few = replace(FEW, fit_rows=40, test_rows=70)
    drawn = split_subset(Column(np.where(known, labels(400), -1), ("a", "b")), splits, few)
    assert [len(rows) for rows in drawn] == [40, 40, 70]
    for rows, side in zip(drawn, splits.rows, strict=True):
        assert known[rows].all()
        assert set(rows) <= set(side)
        assert len(set(rows)) == len(rows)
    everything = np.arange(9)
    assert np.array_equal(at_most(everything, 9, seed=0), everything)


def test_what_is_too_rare_to_audit_becomes_missing_and_is_counted_and_the_rest_stays() -> None:
    codes = np.repeat([0, 1, 2, -1], [200, 25, 100, 5])
    column = Column(codes, ("common", "rare", "other"))
    rows = (np.arange(0, 330, 2), np.arange(1, 330, 4), np.arange(3, 330, 4))  # rare: 13 / 6 / 6
    found = without_rare(column, rows, 10)
    assert (found.left_out, found.merged) == ({"rare": 25}, {})
    assert np.array_equal(found.column.codes, np.where(codes == 1, -1, codes))
    assert without_rare(found.column, rows, 10).left_out == {}, (
        "a class without any row is not left out, it is not there"
    )
    assert without_rare(column, rows, 6).left_out == {}
    assert without_rare(column, rows, 26).left_out == {"rare": 25, "other": 100}


def test_rare_classes_become_one_where_that_is_enough_rows_and_are_left_out_where_it_is_not() -> None:
    codes = np.tile(np.repeat([0, 1, 2, 3, -1], [50, 7, 6, 1, 3]), 3)
    column = Column(codes, ("common", "few", "fewer", "one"))
    first, second, third = np.arange(len(codes)).reshape(3, -1)
    rows, rare = (first, second, third), {"few": 21, "fewer": 18, "one": 3}
    found = without_rare(column, rows, 10, "rest")
    assert (found.merged, found.left_out) == (rare, {})
    assert found.column.classes == ("common", "rest")
    assert np.array_equal(found.column.codes, np.where(codes > 1, 1, codes))
    assert without_rare(column, rows, 15, "rest").left_out == rare
    into = without_rare(column, rows, 10, "common")
    assert (into.column.classes, into.merged) == (("common",), rare)


def test_a_rare_class_is_not_lost_when_rows_are_drawn() -> None:
    codes = (np.arange(5000) % 400 == 0).astype(np.int64)  # 13 rows in 5,000
    drawn = at_most(np.arange(5000), 100, 0, codes)
    assert codes[drawn].sum() == 13
    assert len(drawn) == 100
    assert at_most(np.arange(5000), 100, 0).size == 100

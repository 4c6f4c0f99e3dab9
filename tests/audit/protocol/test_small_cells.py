"""How many rows a rare class has cannot be told from what the evidence counts."""

from dataclasses import replace

import numpy as np
import pytest
from support.planted import FEW

from audit.data.columns import MISSING, Column
from audit.errors import DataError
from audit.evidence.json_file import SMALL
from audit.protocol.audited_rows import Audited, audited
from audit.protocol.splits import split_rows

CLASSES = ("common", "other", "rare", "rarer")


def of(*counts: int, seed: int = 0, rows: int = 600) -> Audited:
    """Audit an attribute with so many rows of its first classes, and the rest of its rows without a value."""
    codes = np.repeat([*range(len(counts)), MISSING], [*counts, rows - sum(counts)])
    column = Column(np.random.default_rng(seed).permutation(codes), CLASSES)
    return audited("race", column, split_rows(np.arange(rows), [column], seed=0), replace(FEW, seed=seed))


@pytest.mark.parametrize("rare", range(1, SMALL))
def test_rows_less_those_of_the_audited_classes_are_the_same_number_however_few_a_rare_class_has(rare: int) -> None:
    for seed in range(3):
        found = of(300, 300 - rare, rare, seed=seed)
        assert found.left_out == {"rare": rare}
        assert found.missing == 0
        counts = np.array([[one.train, one.select, one.test] for one in found.classes])
        assert counts.sum(axis=0).tolist() == [300 - SMALL, 120 - SMALL, 180 - SMALL], "in every split"
        assert counts.sum() == found.held


@pytest.mark.parametrize(("rare", "rarer"), [(1, 1), (9, 9), (2, 7)])
def test_nor_can_the_sum_of_two_rare_classes_be_told(rare: int, rarer: int) -> None:
    found = of(350, 150, rare, rarer)
    assert 600 - found.missing - found.held == 3 * 2 * SMALL


def test_only_rows_of_the_largest_classes_are_left_out_and_none_where_nothing_is_withheld() -> None:
    whole, less = of(250, 230), of(250, 230, 1)
    assert whole.held == 480
    named = {one.name: one for one in less.classes}
    assert named["common"].train <= named["other"].train + 1
    assert of(300, 100, 80).held == 480, "a class that is audited takes no other with it"
    assert of(300, 160, SMALL).held == 460, "nor does one whose count is told"


def test_an_attribute_with_too_few_other_rows_is_refused_in_one_line() -> None:
    with pytest.raises(DataError, match="'race' has 1 class of fewer than 10 rows, and too few rows of others"):
        of(50, 50, 1, rows=110)

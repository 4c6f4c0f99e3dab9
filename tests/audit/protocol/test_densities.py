"""Densities: bins and cells of people enough, whatever the rows; what they show of a leak, and of none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.planted import FEW, classes, labels, noise

from audit.attackers.attack import attack
from audit.attackers.scoring import ClassReading
from audit.bootstrap import Doubles
from audit.data.columns import AnyColumn, Ints, Quantity
from audit.evidence.densities import FEWEST, MOST_BINS, SIDES, Densities, MapDensity, ScoreDensity, grid_of, within
from audit.protocol.densities.both import densities
from audit.protocol.densities.disclosure import bins, cells
from audit.protocol.densities.map import directions
from audit.protocol.densities.scores import log_odds
from audit.protocol.splits import split_rows
from audit.protocol.target import make_target

Rows = tuple[Ints, Ints]


@st.composite
def rows(draw: st.DrawFn, wide: int) -> Rows:
    """Draw places in two dimensions, (n, 2), heaped or spread, and whose each row is: one row a person, or several."""
    n, seed = draw(st.integers(1, 900)), draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    heaps = generator.integers(0, wide, (draw(st.integers(1, 8)), 2))
    spread = draw(st.sampled_from([0.0, 0.5, 3.0, float(wide)]))
    places = heaps[generator.integers(len(heaps), size=n)] + spread * generator.normal(size=(n, 2))
    people = generator.integers(0, max(1, n // draw(st.integers(1, 12))), n)
    return np.clip(np.rint(places), 0, wide - 1).astype(np.int64), people


def count(people: Ints) -> int:
    return len(np.unique(people))


@settings(max_examples=150, deadline=None)
@given(rows(60))
def test_every_bin_holds_people_enough_and_so_do_the_places_at_its_outer_ends(drawn: Rows) -> None:
    places, people = drawn[0][:, 0], drawn[1]
    told = bins(places, people)
    assert (told is None) == (count(people) < 2 * FEWEST)
    if told is None:
        return
    assert told.ends == sorted(set(told.ends)) and 1 <= len(told.rows) <= MOST_BINS
    assert sum(told.rows) == len(places)
    inner = [-np.inf, *told.ends[1:-1], np.inf]
    for low, high, number in zip(inner[:-1], inner[1:], told.rows, strict=True):
        inside = (places >= low) & (places < high)
        assert inside.sum() == number and count(people[inside]) >= FEWEST
    for outside in (places <= told.ends[0], places >= told.ends[-1] - 1):
        assert count(people[outside]) >= FEWEST, "an outer end that one person alone reached"


@settings(max_examples=150, deadline=None)
@given(rows(SIDES[0]))
def test_every_cell_holds_people_enough_and_what_is_withheld_holds_as_many_or_nobody(drawn: Rows) -> None:
    places, people = drawn
    told = cells(places, people)
    if told is None:
        return
    assert told.numbers == sorted(set(told.numbers))
    taken: set[tuple[int, int]] = set()
    for number, rows_there in zip(told.numbers, told.rows, strict=True):
        own = within(number) - taken
        taken |= own
        inside = np.array([tuple(place) in own for place in places.tolist()])
        assert inside.sum() == rows_there and count(people[inside]) >= FEWEST
    rest = np.array([tuple(place) not in taken for place in places.tolist()])
    assert told.withheld == rest.sum()
    assert count(people[rest]) == 0 or count(people[rest]) >= FEWEST


def test_what_is_withheld_takes_the_smallest_of_the_coarsest_cells_with_it() -> None:
    heaps = np.repeat([[0, 0], [11, 11], [5, 5]], [FEWEST + 30, FEWEST + 10, 3], axis=0)
    told = cells(heaps, np.arange(len(heaps)))
    assert told is not None
    assert (told.numbers, told.rows, told.withheld) == ([0], [FEWEST + 30], FEWEST + 13)
    assert cells(heaps[FEWEST + 30 :], np.arange(FEWEST + 13)) is None, "nothing is left to tell of"


def test_rows_that_lie_thinly_are_told_in_coarser_cells() -> None:
    places = np.stack(np.divmod(np.arange(36).repeat(4), 6), axis=1)  # 4 people in each cell of a corner of 6 × 6
    told = cells(places, np.arange(len(places)))
    assert told is not None and {grid_of(one) for one in told.numbers} == {SIDES[-1]}
    assert told.withheld >= FEWEST


def told_of(column: AnyColumn, z: Doubles, *, groups: Ints | None = None) -> Densities | None:
    splits = split_rows(np.arange(len(z)) if groups is None else groups, [column], seed=0)
    target = make_target("v", column, splits, FEW)
    return densities(attack(target.audited.split(z), FEW), target)


def middle(score: ScoreDensity) -> float:
    """Return the mean score, of rows spread evenly in each bin."""
    return float(np.average((np.array(score.edges[1:]) + score.edges[:-1]) / 2, weights=score.shares))


def column_of(one: MapDensity) -> float:
    """Return the mean column of the rows that are told."""
    columns = [np.mean([column for _, column in within(number)]) for number in one.cells]
    return float(np.average(columns, weights=one.shares))


@pytest.mark.parametrize("lift", [1.5, 0.0])
def test_scores_and_columns_lie_apart_where_a_leak_is_and_nowhere_else(lift: float) -> None:
    v, z = labels(4000), noise(4000)
    z[:, 2] += lift * v
    found = told_of(classes(v), z)
    assert found is not None
    (no, yes), (left, right) = map(middle, found.scores), map(column_of, found.map)
    assert (yes - no > 2) == (lift > 0)
    assert (abs(right - left) > 2) == (lift > 0)


def test_of_several_classes_a_score_is_of_the_own_class_and_a_guess_is_nothing_beyond_it() -> None:
    v = labels(6000, k=5)
    found = told_of(classes(v), noise(6000))
    assert found is not None and len(found.scores) == 5
    assert [middle(one) for one in found.scores] == pytest.approx([-2.0] * 5, abs=0.2)


def test_frequencies_play_no_part_in_a_score() -> None:
    v = labels(6000, share=0.1)
    found = told_of(classes(v), noise(6000))
    assert found is not None
    assert [middle(one) for one in found.scores] == pytest.approx([0, 0], abs=0.2)


def test_people_are_counted_and_not_their_rows() -> None:
    people = np.repeat(np.arange(60), 40)
    v = labels(60, seed=4)[people]
    found = told_of(classes(v), noise(2400), groups=people)
    assert found is None, "of 18 people in the test rows no class has 20"


def test_a_quantity_and_features_of_one_vector_have_no_map() -> None:
    assert told_of(Quantity(noise(900)[:, 0]), noise(900)) is None
    found = told_of(classes(labels(900)), np.ones((900, 3)))
    assert found is not None and found.map == []
    assert [one.edges for one in found.scores] == [[-0.05, 0.05]] * 2


def test_features_of_one_direction_lie_in_the_middle_of_the_other() -> None:
    z = noise(2000)[:, :1] @ np.ones((1, 3))
    found = told_of(classes(labels(2000)), z)
    assert found is not None and found.map
    told = {
        row for one in found.map for number in one.cells if grid_of(number) == SIDES[0] for row, _ in within(number)
    }
    assert told == {SIDES[0] // 2 - 1}


def test_the_second_direction_varies_most_of_those_that_know_nothing_of_the_first() -> None:
    generator = np.random.default_rng(0)
    variances = np.array([4.0, 2.0, 1.0, 0.5])
    means = generator.normal(size=(3, 4))
    first, second = directions(means, variances).T
    white = generator.normal(size=(200_000, 4))
    assert np.corrcoef(white @ first, white @ second)[0, 1] == pytest.approx(0, abs=0.01)

    def explained(axis: Doubles) -> float:
        return float((variances * axis**2).sum() / (axis**2).sum())

    others = generator.normal(size=(2000, 4))
    others -= np.outer(others @ first, first)
    assert explained(second) >= max(map(explained, others)) - 1e-9


def test_no_edge_is_a_score_of_a_row() -> None:
    v, z = labels(1200), noise(1200)
    z[:, 0] += v
    column = classes(v)
    target = make_target("v", column, split_rows(np.arange(1200), [column], seed=0), FEW)
    read = attack(target.audited.split(z), FEW)
    found = densities(read, target)
    assert found is not None and isinstance(read.headline, ClassReading)
    scores = log_odds(read.headline)
    edges = np.array([edge for one in found.scores for edge in one.edges])
    assert not np.isin(edges, scores).any()

"""What an attacker learns from: rows drawn by class, or a mapped file; and scores free of the frequencies."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from support.planted import labels, noise

from audit.attackers.learner import Learner, drawn_by_class
from audit.attackers.network import NetworkClassifier
from audit.data.on_disk import Store


def test_rows_are_drawn_evenly_by_class_and_a_rare_class_stays_whole() -> None:
    codes = np.repeat([0, 1, 2], [9000, 800, 184])
    kept = drawn_by_class(codes, 2000, seed=0)
    assert np.bincount(codes[kept]).tolist() == [1016, 800, 184]
    assert len(np.unique(kept)) == 2000
    assert (np.diff(kept) > 0).all()


def test_a_smaller_draw_is_part_of_a_larger_one() -> None:
    codes = np.repeat([0, 1, 2], [500, 300, 40])
    small, large = (set(drawn_by_class(codes, most, seed=3).tolist()) for most in (90, 400))
    assert small < large


def test_all_rows_stay_where_no_most_is_named() -> None:
    assert drawn_by_class(np.zeros(7, dtype=np.int64), None, seed=0).tolist() == list(range(7))


def test_ten_rows_of_a_class_stay_however_few_are_asked_for() -> None:
    codes = np.repeat([0, 1], [900, 100])
    assert np.bincount(codes[drawn_by_class(codes, 5, seed=0)]).tolist() == [10, 10]


@pytest.mark.parametrize("weight", [None, "balanced"])
def test_scores_of_features_that_know_nothing_favour_no_class(weight: str | None) -> None:
    v = (np.arange(3000) % 10 == 0).astype(np.int64)
    scores = Learner(LogisticRegression(class_weight=weight)).fit(np.zeros((3000, 1)), v).scores(np.zeros((5, 1)))
    assert scores[:, 0] == pytest.approx(scores[:, 1], abs=1e-3)


def test_a_cap_with_even_draws_changes_what_the_probabilities_hold_under() -> None:
    v = np.repeat([0, 1], [3000, 300]).astype(np.int64)
    learner = Learner(LogisticRegression(), most=400).fit(noise(3300), v)
    assert learner.prior.tolist() == [0.5, 0.5]
    assert Learner(LogisticRegression()).fit(noise(3300), v).prior == pytest.approx([10 / 11, 1 / 11])


def test_a_mapped_file_is_learned_from_as_if_it_were_in_memory() -> None:
    z, v = noise(3000).astype(np.float32), labels(3000)
    store = Store(len(z))
    store.add(z)
    held, mapped = (
        Learner(NetworkClassifier(hidden=(8,)), streams=True).fit(rows, v).scores(rows) for rows in (z, store.take())
    )
    np.testing.assert_allclose(held, mapped, atol=1e-5)

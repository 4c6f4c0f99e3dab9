"""Raw scores become probabilities and decisions that a shift, a stretch and an imbalance do not spoil."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.svm import SVC

from audit.attackers.calibration import Calibration, calibrate, fit_offset, fit_temperature, read
from audit.attackers.learner import raw_scores
from audit.attackers.scoring import ClassReading
from audit.bootstrap import Doubles, Resamples
from audit.data.columns import Ints

PRIOR = np.array([0.85, 0.15])


def as_they_are(n: int) -> Resamples:
    return Resamples(np.arange(n), np.ones((1, n), dtype=np.uint8))


def scored(n: int = 4000, bias: float = 0.0, scale: float = 1.0) -> tuple[Doubles, Ints]:
    """Score two classes by a log-likelihood ratio, then shift and stretch it as a bad attacker would."""
    generator = np.random.default_rng(0)
    v = (generator.random(n) < PRIOR[1]).astype(np.int64)
    x = generator.normal(size=n) + 2.0 * v
    ratio = scale * (2.0 * x - 2.0) + bias  # log p(x | 1) − log p(x | 0)
    return np.stack([np.zeros(n), ratio], axis=1), v


@pytest.mark.parametrize("bias", [0.0, 5.0, -5.0])
def test_the_threshold_undoes_a_shift_of_the_scores(bias: float) -> None:
    scores, v = scored(bias=bias)
    reading = read(scores, v, calibrate(scores, v, PRIOR))
    assert reading.score == pytest.approx(0.841, abs=0.02)  # Φ(1), the best there is
    assert reading.each("balanced_accuracy", as_they_are(len(v))) == pytest.approx([reading.score])


@pytest.mark.parametrize("shift", [0.0, 3.0, -3.0])
def test_the_threshold_follows_an_attacker_that_was_fitted_again(shift: float) -> None:
    scores, v = scored()
    again = scores + np.array([0.0, shift])
    moved = calibrate(scores, v, PRIOR).moved(scores, v, again, PRIOR)
    assert read(again, v, moved).score == pytest.approx(0.841, abs=0.02)
    even = np.full(3, 1 / 3)
    three = calibrate(np.zeros((9, 3)), np.arange(9) % 3, even)
    assert three.moved(np.zeros((9, 3)), np.arange(9) % 3, np.ones((9, 3)), even) is three


def test_the_threshold_stays_where_the_other_rows_have_another_share_of_each_class() -> None:
    scores, v = scored()
    rare = np.flatnonzero(v == 1)
    some = np.concatenate([rare, np.flatnonzero(v == 0)[: len(rare)]])  # both classes alike, as rows are drawn by class
    moved = calibrate(scores, v, PRIOR).moved(scores, v, scores[some], np.array([0.5, 0.5]))
    assert moved.offset == pytest.approx(calibrate(scores, v, PRIOR).offset, abs=0.1)
    assert read(scores[some], v[some], moved).score == pytest.approx(0.841, abs=0.02)


def test_scores_that_say_nothing_get_no_threshold_by_luck() -> None:
    _, v = scored()
    assert np.array_equal(fit_offset(np.zeros((len(v), 2)), v, 2), np.zeros(2))


@pytest.mark.parametrize("scale", [0.2, 1.0, 8.0])
def test_the_temperature_undoes_a_stretch_of_the_scores(scale: float) -> None:
    scores, v = scored(scale=scale)
    assert fit_temperature(scores, v, PRIOR) == pytest.approx(scale, rel=0.15)


@pytest.mark.parametrize("scale", [0.2, 1.0, 8.0])
def test_the_bits_are_those_of_the_true_ratio_however_it_was_stretched(scale: float) -> None:
    honest, v = scored()
    stretched, _ = scored(scale=scale)
    truth = Calibration(1.0, np.zeros(2), PRIOR)
    wanted = read(honest, v, truth).each("bits", as_they_are(len(v)))[0]
    found = read(stretched, v, calibrate(stretched, v, PRIOR)).each("bits", as_they_are(len(v)))[0]
    assert 0.2 < wanted < 0.3
    assert found == pytest.approx(wanted, abs=0.005)


def test_an_over_confident_attacker_that_knows_nothing_ends_at_no_information_and_not_below() -> None:
    _, v = scored()
    wild = 20 * np.random.default_rng(1).normal(size=(len(v), 2))
    reading = read(wild, v, calibrate(wild, v, PRIOR))
    assert abs(reading.each("bits", as_they_are(len(v)))[0]) < 0.005
    assert read(wild, v, Calibration(1.0, np.zeros(2), PRIOR)).each("bits", as_they_are(len(v)))[0] < -1, "without it"


def test_the_bits_of_a_sure_and_right_reading_are_the_whole_entropy() -> None:
    labels = np.array([0, 0, 1, 1])
    sure = np.where(np.eye(2)[labels] == 1, 0.0, -40.0)
    reading = ClassReading(np.ones(4, dtype=bool), sure, labels)
    assert reading.each("bits", as_they_are(4)) == pytest.approx([1.0])
    assert reading.loss == 0
    assert reading.each("auroc", as_they_are(4)) == pytest.approx([1.0])


@pytest.mark.parametrize(
    "estimator", [LogisticRegression(), RidgeClassifier(), SVC(), NearestCentroid()], ids=lambda one: type(one).__name__
)
@pytest.mark.parametrize("k", [2, 3])
def test_whatever_an_estimator_offers_becomes_one_score_a_class(estimator: Any, k: int) -> None:
    labels = np.arange(300) % k
    x = np.random.default_rng(0).normal(size=(300, 3)) + 4 * np.eye(3)[labels]
    scores = raw_scores(estimator.fit(x, labels), x, np.full(k, 1 / k))
    assert scores.shape == (300, k)
    assert (scores.argmax(axis=1) == labels).mean() > 0.9


def test_the_classes_frequencies_play_no_part_in_the_scores() -> None:
    labels = (np.arange(1000) % 10 == 0).astype(np.int64)
    x = np.zeros((1000, 1))
    scores = raw_scores(LogisticRegression().fit(x, labels), x, np.bincount(labels) / 1000)
    np.testing.assert_allclose(scores[:, 0], scores[:, 1], atol=1e-3)


@pytest.mark.parametrize("k", [2, 3, 10])
def test_an_attacker_that_was_right_on_every_selection_row_is_not_taken_to_be_sure_beyond_measure(k: int) -> None:
    draw = np.random.default_rng(0)
    labels, prior = np.arange(40 * k) % k, np.full(k, 1 / k)
    right = 12 * np.eye(k)[labels] + draw.normal(size=(len(labels), k))
    assert (right.argmax(axis=1) == labels).all()
    new = right.copy()
    new[:k] = np.roll(new[:k], 1, axis=1)  # 2.5 % of new rows are read wrong, with as much conviction
    reading = read(new, labels, calibrate(right, labels, prior))
    assert reading.score > 0.97
    assert reading.each("bits", as_they_are(len(labels)))[0] > 0.7 * np.log2(k)

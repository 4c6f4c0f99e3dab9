import numpy as np
import pytest

from audit.calibration import Doubles, Reading, fit_offset, fit_temperature, mean_recall
from audit.data import Ints

PRIOR = np.array([0.85, 0.15])


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
    decided = (scores + fit_offset(scores, v, 2)).argmax(axis=1)
    recall = mean_recall(decided == v, v, np.ones((1, len(v))), 2)[0]
    assert recall == pytest.approx(0.841, abs=0.02)  # Φ(1), the best there is


def test_scores_that_say_nothing_get_no_threshold_by_luck() -> None:
    _, v = scored()
    assert np.array_equal(fit_offset(np.zeros((len(v), 2)), v, 2), np.zeros(2))


@pytest.mark.parametrize("scale", [0.2, 1.0, 8.0])
def test_the_temperature_undoes_a_stretch_of_the_scores(scale: float) -> None:
    scores, v = scored(scale=scale)
    assert fit_temperature(scores, v, PRIOR) == pytest.approx(scale, rel=0.15)


def test_an_over_confident_attacker_that_knows_nothing_ends_at_no_information_and_not_below() -> None:
    _, v = scored()
    wild = 20 * np.random.default_rng(1).normal(size=(len(v), 2))
    temperature = fit_temperature(wild, v, PRIOR)
    logits = wild / temperature + np.log(PRIOR)
    log2 = (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)) / np.log(2)
    reading = Reading(np.zeros(len(v), dtype=bool), log2[np.arange(len(v)), v], v, 0.5)
    assert abs(reading.bits(np.ones((1, len(v))), 2)[0]) < 0.005


def test_balanced_accuracy_weighs_classes_alike_and_leaves_out_those_not_drawn() -> None:
    labels, right = np.array([0, 0, 0, 1]), np.array([True, True, False, False])
    weights = np.array([[1.0, 1, 1, 1], [3, 0, 0, 0]])
    assert mean_recall(right, labels, weights, 2) == pytest.approx([1 / 3, 1.0])


def test_the_bits_of_a_sure_and_right_reading_are_the_whole_entropy() -> None:
    labels = np.array([0, 0, 1, 1])
    reading = Reading(np.ones(4, dtype=bool), np.zeros(4), labels, 1.0)
    assert reading.bits(np.ones((1, 4)), 2) == pytest.approx([1.0])

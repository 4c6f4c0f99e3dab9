"""Every figure of a resample is what the drawn rows, one by one, would give."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from support.planted import labels, noise

from audit import bootstrap
from audit.bootstrap import Resamples, estimate, estimate_share, resample

N = 60
GROUPS = np.random.default_rng(0).integers(20, size=N)


def drawn(times: int = 25, seed: int = 0) -> Resamples:
    return resample(GROUPS, times=times, seed=seed, key=b"")


def row_weights(resamples: Resamples) -> NDArray[np.float64]:
    return resamples.weights[:, resamples.member].astype(np.float64)


def test_the_first_resample_is_the_rows_as_they_are_and_all_draw_as_many_groups() -> None:
    resamples = drawn()
    groups = len(np.unique(GROUPS))
    assert resamples.weights.shape == (26, groups)
    assert (resamples.weights[0] == 1).all()
    assert (resamples.weights.sum(axis=1) == groups).all()
    assert (resamples.weights[1:] != 1).any(axis=1).all()


def test_rows_of_one_group_are_drawn_together_and_the_seed_decides_which() -> None:
    weights = row_weights(drawn())
    for group in np.unique(GROUPS):
        own = weights[:, group == GROUPS]
        assert (own == own[:, :1]).all()
    assert np.array_equal(weights, row_weights(drawn()))
    assert not np.array_equal(weights, row_weights(drawn(seed=1)))


@pytest.mark.slow
def test_many_groups_are_drawn_as_few_at_a_time_and_kept_small(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = np.arange(30_000)
    monkeypatch.setattr(bootstrap, "HELD", 10**9)  # in memory, where it counts
    tracemalloc.start()
    at_once = resample(groups, times=400, seed=0, key=b"")
    peak = tracemalloc.get_traced_memory()[1]
    means = at_once.means(groups % 7 == 0)
    assert tracemalloc.get_traced_memory()[1] < 5 * at_once.weights.size
    tracemalloc.stop()
    assert peak < 5 * at_once.weights.size  # bytes: eight for each would be those of one int64 array
    monkeypatch.setattr(bootstrap, "BLOCK", 1_000_000)
    by_parts = resample(groups, times=400, seed=0, key=b"")
    assert np.array_equal(at_once.weights, by_parts.weights)
    np.testing.assert_allclose(by_parts.means(groups % 7 == 0), means, rtol=1e-12)


def test_draws_of_many_groups_lie_in_a_file_and_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def figures() -> tuple[Resamples, list[NDArray[np.float64]]]:
        v, score = np.arange(300) % 2, np.sin(np.arange(300.0))
        found = resample(np.arange(300) // 2, times=40, seed=0, key=b"key")
        right, both = score > 0, np.stack([-score, score], axis=1)
        each = found.mean_recall(right, v, 2), found.auroc(both, v, 2), found.found_at(score, v == 1, [0.1])
        return found, [found.means(score), *each]

    held, known = figures()
    monkeypatch.setattr(bootstrap, "HELD", 1000)
    filed, told = figures()
    assert isinstance(filed.weights, np.memmap) and not isinstance(held.weights, np.memmap)
    assert np.array_equal(filed.weights, held.weights)
    assert all(np.array_equal(a, b) for a, b in zip(told, known, strict=True))


@pytest.mark.parametrize("shape", [(N,), (N, 3)])
def test_sums_and_means_by_group_equal_those_of_weighted_rows(shape: tuple[int, ...]) -> None:
    resamples, values = drawn(), np.random.default_rng(1).normal(size=shape)
    weights = row_weights(resamples)
    np.testing.assert_allclose(resamples.sums(values), weights @ values, rtol=1e-12, atol=1e-12)
    by_hand = [np.average(values, axis=0, weights=one) for one in weights]
    np.testing.assert_allclose(resamples.means(values), by_hand, rtol=1e-12, atol=1e-12)


def test_flags_and_whole_numbers_are_summed_as_numbers() -> None:
    resamples, flags = drawn(), labels(N) == 1
    np.testing.assert_array_equal(resamples.sums(flags), row_weights(resamples) @ flags.astype(float))


@pytest.mark.parametrize("block", [1, bootstrap.BLOCK])
@pytest.mark.parametrize("levels", [2, 5, 10**6])  # few levels mean many ties
def test_the_area_of_two_classes_is_that_of_scikit_learn_in_every_resample(
    block: int, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "BLOCK", block)
    for seed in range(5):
        v, resamples = labels(N, seed=seed, share=0.3), drawn(seed=seed)
        score = np.round(noise(N, 1, seed=seed)[:, 0] * levels) / levels + 0.5 * v
        found = resamples.auroc(np.stack([-score / 2, score / 2], axis=1), v, 2)
        for area, weights in zip(found, row_weights(resamples), strict=True):
            assert area == pytest.approx(roc_auc_score(v, score, sample_weight=weights), abs=1e-12)


def test_the_area_of_several_classes_is_the_mean_of_one_against_the_others() -> None:
    v, resamples = labels(N, k=4), drawn()
    scores = np.round(noise(N, 4), 1)
    scores[np.arange(N), v] += 0.7
    for area, weights in zip(resamples.auroc(scores, v, 4), row_weights(resamples), strict=True):
        each = [roc_auc_score(v == c, scores[:, c], sample_weight=weights) for c in range(4)]
        assert area == pytest.approx(np.mean(each), abs=1e-12)


def test_balanced_accuracy_is_that_of_scikit_learn_in_every_resample() -> None:
    v, said, resamples = labels(N, k=3), labels(N, k=3, seed=5), drawn()
    for recall, weights in zip(resamples.mean_recall(v == said, v, 3), row_weights(resamples), strict=True):
        assert recall == pytest.approx(balanced_accuracy_score(v, said, sample_weight=weights))


def test_a_class_that_a_resample_did_not_draw_does_not_count_there() -> None:
    v, scores = np.array([0, 0, 1, 2]), np.array([[3, 0, 0], [0.5, 1, 0], [1, 2, 0], [0, 0, 5.0]])
    right = np.array([True, False, True, False])
    weights = np.array([[1.0, 1, 1, 1], [2, 2, 0, 0], [1, 1, 2, 0]])
    resamples = Resamples(np.arange(4), weights)
    assert resamples.mean_recall(right, v, 3) == pytest.approx([0.5, 0.5, 0.75])  # recalls .5, 1 and 0
    whole, alone, without = resamples.auroc(scores, v, 3)
    assert whole == pytest.approx((0.75 + 1 + 1) / 3)
    assert np.isnan(alone), "one class has no curve"
    assert without == pytest.approx((0.5 + 1) / 2)
    found = estimate(resamples.auroc(scores, v, 3))
    assert np.isfinite([found.value, found.low, found.high]).all()


def test_an_estimate_is_the_real_figure_within_the_middle_95_percent_of_the_others() -> None:
    found = estimate(np.concatenate([[7.0], np.arange(1001)]))
    assert [found.value, found.low, found.high] == pytest.approx([7, 25, 975])


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(size=150)
        found = estimate(resample(np.arange(150), times=200, seed=seed, key=b"").means(values))
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 198


def test_an_attacker_without_a_mistake_has_an_interval_all_the_same() -> None:
    found = estimate_share(np.ones(100), 150)
    assert found.value == 1.0
    assert found.low == pytest.approx(0.975, abs=0.001)  # Wilson, 150 of 150
    assert estimate_share(np.zeros(100), 150).high == pytest.approx(0.025, abs=0.001)
    spread = np.concatenate([[0.5], np.random.default_rng(0).normal(0.5, 0.2, size=2000)])
    assert estimate_share(spread, 10**6) == estimate(spread), "a wider bootstrap stays"


def test_a_balanced_accuracy_rests_on_the_groups_of_its_classes() -> None:
    labels_of = np.array([0] * 90 + [1] * 10)
    alone = resample(np.arange(100), times=2, seed=0, key=b"")
    assert alone.independent(labels_of, 2) == round(4 / (1 / 90 + 1 / 10))
    people = resample(np.arange(100) // 10, times=2, seed=0, key=b"")
    assert people.independent(labels_of, 2) == round(4 / (1 / 9 + 1))

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier

from audit.data import Column, Ints
from audit.errors import DataError, UnknownNameError
from audit.evidence import Estimate, Leakage
from audit.leakage import Settings, judge, measure
from audit.probes import ATTACKERS
from audit.splits import split_rows

QUICK = Settings(attackers=("logistic", "rbf-svm"), bootstrap=200, null_refits=3)


def attack(
    z: NDArray[np.float64],
    v: Ints,
    *,
    predicted: Ints | None = None,
    groups: Ints | None = None,
    settings: Settings = QUICK,
) -> Leakage:
    groups = np.arange(len(v)) if groups is None else groups
    predicted = np.zeros(len(v), dtype=np.int64) if predicted is None else predicted
    column = Column(v, tuple(f"class {c}" for c in range(int(v.max()) + 1)))
    splits = split_rows(groups, [v], seed=0)
    return measure(z, column, predicted, splits, attribute="v", layer="fc:input", settings=settings)


def noise(n: int, d: int = 6, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(n, d))


def labels(n: int, k: int = 2, seed: int = 1, share: float | None = None) -> Ints:
    p = None if share is None else [1 - share, share]
    return np.random.default_rng(seed).choice(k, size=n, p=p).astype(np.int64)


def test_a_planted_leak_is_found_and_fails() -> None:
    z, v = noise(1500), labels(1500)
    z[:, 2] += 2.0 * v  # Bayes-optimal balanced accuracy: Φ(1) = .841
    found = attack(z, v)
    assert found.verdict == "FAIL"
    assert found.balanced_accuracy.low < 0.841 < found.balanced_accuracy.high + 0.02
    assert 0.2 < found.bits.value < found.entropy
    assert found.floor.value == found.chance == 0.5  # one predicted label for all rows tells nothing
    assert found.excess.value == pytest.approx(found.balanced_accuracy.value - 0.5)


@pytest.mark.parametrize("k", [2, 5])
def test_features_that_know_nothing_read_as_chance_and_about_zero_bits(k: int) -> None:
    found = attack(noise(3000), labels(3000, k))
    assert found.chance == 1 / k
    assert abs(found.balanced_accuracy.value - 1 / k) < 0.04
    assert abs(found.bits.value) < 0.01
    assert found.verdict == "PASS"
    assert found.null.low <= 1 / k <= found.null.high


def test_an_imbalanced_attribute_that_is_not_there_reads_as_a_half_and_not_as_its_frequency() -> None:
    found = attack(noise(3000), labels(3000, share=0.15))
    assert abs(found.balanced_accuracy.value - 0.5) < 0.05
    assert abs(found.bits.value) < 0.01


def test_an_imbalanced_attribute_that_is_there_is_read_at_the_right_threshold() -> None:
    v = labels(3000, share=0.1)
    z = noise(3000)
    z[:, 0] += 2.0 * v
    assert attack(z, v).balanced_accuracy.value == pytest.approx(0.841, abs=0.04)


def test_a_leak_that_is_the_product_of_two_signs_is_found_although_a_linear_attacker_is_blind() -> None:
    z = noise(2000, d=4)
    v = (z[:, 0] * z[:, 1] > 0).astype(np.int64)
    found = attack(z, v)
    linear = [one.balanced_accuracy for one in found.attackers if one.name == "logistic"]
    assert all(estimate is not None and estimate.value < 0.56 for estimate in linear)
    assert found.strongest.startswith("rbf-svm")
    assert found.balanced_accuracy.value > 0.8


def test_a_leak_in_a_direction_of_small_variance_is_found_on_whitened_features() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(2000, 1))
    v = labels(2000)
    hidden = np.where(v == 1, 0.01, -0.01) + 0.003 * generator.normal(size=2000)
    z = np.concatenate([shared + hidden[:, None], shared - hidden[:, None], noise(2000, 4)], axis=1)
    found = attack(z, v, settings=Settings(attackers=("rbf-svm",), bootstrap=200, null_refits=3))
    figures = {one.view: one.balanced_accuracy for one in found.attackers}
    assert figures["whitened"] is not None
    assert figures["standardised"] is not None
    assert figures["whitened"].value > figures["standardised"].value + 0.1
    assert found.strongest == "rbf-svm on whitened"


def test_what_the_predicted_label_tells_is_the_floor_and_no_excess() -> None:
    v = labels(3000)
    told = np.where(np.random.default_rng(2).random(3000) < 0.8, v, 1 - v)  # ŷ agrees with v in 80 %
    z = noise(3000)
    z[:, 0] = 3 * told
    found = attack(z, v, predicted=told)
    assert found.floor.value == pytest.approx(0.8, abs=0.03)
    assert abs(found.excess.value) < 0.01
    assert found.verdict == "PASS"


def test_people_known_by_heart_are_a_leak_by_row_and_none_by_group() -> None:
    people = np.repeat(np.arange(150), 10)
    faces = np.random.default_rng(3).normal(size=(150, 8))[people] + 0.05 * noise(1500, 8)
    v = np.random.default_rng(4).integers(2, size=150)[people]
    assert attack(faces, v).balanced_accuracy.value > 0.95
    assert attack(faces, v, groups=people).balanced_accuracy.value < 0.7


def test_no_group_is_in_two_splits_and_every_row_is_in_one() -> None:
    groups = np.repeat(np.arange(100), 7)
    splits = split_rows(groups, [labels(700)], seed=0)
    parts = [set(groups[rows]) for rows in (splits.train, splits.select, splits.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert sorted(np.concatenate([splits.train, splits.select, splits.test])) == list(range(700))
    assert [len(part) for part in parts] == [50, 20, 30]


def test_splits_depend_on_the_seed_alone() -> None:
    v = labels(500)
    first, again, other = (split_rows(np.arange(500), [v], seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_classes_too_rare_to_spread_do_not_stop_the_split() -> None:
    v = np.concatenate([np.zeros(300), np.ones(4)]).astype(np.int64)
    assert len(split_rows(np.arange(304), [v], seed=0).train) == pytest.approx(152, abs=2)


def test_a_class_with_too_few_rows_is_named_with_its_counts() -> None:
    with pytest.raises(DataError, match=r"Class 'class 1' of 'v' has 10 / 4 / 6 rows .* each needs 10"):
        attack(noise(400), np.concatenate([np.zeros(380), np.ones(20)]).astype(np.int64))


def test_fewer_groups_than_the_splits_need_are_refused() -> None:
    with pytest.raises(DataError, match=r"50 rows form 5 groups; three splits need at least 10"):
        split_rows(np.repeat(np.arange(5), 10), [labels(50)], seed=0)


def test_a_mistyped_attacker_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown attacker 'logstic'\. Did you mean 'logistic'\?"):
        attack(noise(400), labels(400), settings=Settings(attackers=("logstic",)))


def test_resampling_groups_gives_a_wider_interval_than_resampling_rows() -> None:
    people = np.repeat(np.arange(60), 25)
    v = (people % 2).astype(np.int64)
    z = np.random.default_rng(5).normal(size=(60, 3))[people] + 1.0 * v[:, None] + 0.05 * noise(1500, 3)
    by_group = attack(z, v, groups=people).balanced_accuracy
    by_row = attack(z, v).balanced_accuracy
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


@pytest.mark.parametrize(
    ("low", "value", "high", "resolution", "verdict"),
    [
        (0.10, 0.12, 0.14, 0.02, "FAIL"),
        (-0.02, 0.01, 0.03, 0.02, "PASS"),
        (0.02, 0.04, 0.06, 0.02, "INCONCLUSIVE"),
        (0.0, 0.0, 0.0, 0.20, "INCONCLUSIVE"),  # too few rows to see a leak: an attacker that answers a constant
    ],
)
def test_the_verdict_is_on_the_interval_and_on_what_the_rows_can_tell(
    low: float, value: float, high: float, resolution: float, verdict: str
) -> None:
    given, reason = judge(Estimate(value=value, low=low, high=high), resolution, 0.05, 1000)
    assert given == verdict
    assert reason.endswith(".")
    assert (verdict == "INCONCLUSIVE") == ("test rows would settle it" in reason)


def test_no_model_passes_on_attackers_that_could_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    hungry = {**ATTACKERS, "knn": lambda _seed: KNeighborsClassifier(n_neighbors=10**6)}  # more than there are rows
    monkeypatch.setattr("audit.probes.ATTACKERS", hungry)
    settings = Settings(attackers=("logistic", "knn"), bootstrap=200, null_refits=3)
    found = attack(noise(3000), labels(3000), settings=settings)
    assert found.excess.high < found.limit
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("2 of 4 attackers could not run")
    assert [one.failure is not None for one in found.attackers] == [False, True, False, True]


def test_a_handful_of_rows_never_passes() -> None:
    assert attack(noise(120), labels(120)).verdict != "PASS"

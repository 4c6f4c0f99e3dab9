"""What the protocol says of leaks that were planted, and of features that know nothing."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from support.planted import FEW, classes, labels, noise

from audit.attackers.families import ATTACKERS, Family
from audit.data.columns import Column, Ints, intersect
from audit.errors import DataError, UnknownNameError
from audit.evidence.findings import Leakage
from audit.evidence.verdict import judged
from audit.protocol.leakage import Beside, measure, read_ceiling
from audit.protocol.splits import split_rows
from audit.settings import Settings

QUICK = Settings(attackers=("logistic", "rbf-svm"), bootstrap=200, null_refits=3, ceiling=False)
CURVED = replace(QUICK, attackers=("rbf-svm",))


def attack(
    z: NDArray[np.float64],
    v: Ints | Column,
    *,
    attribute: str = "v",
    groups: Ints | None = None,
    beside: Beside | None = None,
    settings: Settings = QUICK,
) -> Leakage:
    column = v if isinstance(v, Column) else classes(v)
    splits = split_rows(np.arange(len(v)) if groups is None else groups, [column], seed=0)
    beside = beside or Beside()
    ceiling = read_ceiling(attribute, column, splits, settings=settings, beside=beside)
    found = measure(
        z, column, splits, attribute=attribute, layer="fc:input", settings=settings, beside=beside, ceiling=ceiling
    )
    return judged(found.figures, settings.limit)


def test_a_planted_leak_is_found_and_fails() -> None:
    z, v = noise(1500), labels(1500)
    z[:, 2] += 2.0 * v  # Bayes-optimal balanced accuracy: Φ(1) = .841
    found = attack(z, v)
    assert found.verdict == "FAIL"
    assert found.balanced_accuracy.low < 0.841 < found.balanced_accuracy.high + 0.02
    assert found.auroc.value == pytest.approx(0.921, abs=0.03)  # Φ(√2)
    assert 0.2 < found.bits.value < found.entropy
    assert found.floor.value == found.chance == 0.5  # no task, so a guess
    assert found.excess.value == pytest.approx(found.balanced_accuracy.value - 0.5)
    assert (found.width, found.missing, found.given_task, found.ceiling) == (6, 0, None, None)


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 5])
def test_features_that_know_nothing_read_as_chance_and_about_zero_bits(k: int) -> None:
    found = attack(noise(3000), labels(3000, k))
    assert found.chance == 1 / k
    assert abs(found.balanced_accuracy.value - 1 / k) < 0.04
    assert abs(found.auroc.value - 0.5) < 0.04
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
    assert not found.strongest.startswith("logistic")
    assert found.balanced_accuracy.value > 0.8


def test_a_leak_in_a_direction_of_small_variance_is_found_on_whitened_features() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(2000, 1))
    v = labels(2000)
    hidden = np.where(v == 1, 0.004, -0.004) + 0.0012 * generator.normal(size=2000)
    z = np.concatenate([shared + hidden[:, None], shared - hidden[:, None], noise(2000, 4)], axis=1)
    found = attack(z, v, settings=CURVED)
    figures = {one.view: one.balanced_accuracy for one in found.attackers if one.name == "rbf-svm"}
    assert figures["whitened"] is not None
    assert figures["standardised"] is not None
    assert figures["whitened"].value > figures["standardised"].value + 0.1
    assert found.balanced_accuracy.value > figures["whitened"].value - 0.02


def test_what_the_predicted_label_tells_is_the_floor_and_no_excess() -> None:
    v = labels(3000)
    told = np.where(np.random.default_rng(2).random(3000) < 0.8, v, 1 - v)  # ŷ agrees with v in 80 %
    z = noise(3000)
    z[:, 0] = 3 * told
    found = attack(z, v, beside=Beside(predicted=told), settings=FEW)
    assert found.floor.value == pytest.approx(0.8, abs=0.03)
    assert found.floor_bits.value == pytest.approx(1 - 0.722, abs=0.05)  # 1 − H(.8)
    assert abs(found.excess.value) < 0.01
    assert found.verdict == "PASS"


def test_people_known_by_heart_are_a_leak_by_row_and_none_by_group() -> None:
    people = np.repeat(np.arange(150), 10)
    faces = np.random.default_rng(3).normal(size=(150, 8))[people] + 0.05 * noise(1500, 8)
    v = np.random.default_rng(4).integers(2, size=150)[people]
    assert attack(faces, v).balanced_accuracy.value > 0.95
    assert attack(faces, v, groups=people).balanced_accuracy.value < 0.7


def test_resampling_groups_gives_a_wider_interval_than_resampling_rows() -> None:
    people = np.repeat(np.arange(60), 25)
    v = (people % 2).astype(np.int64)
    z = np.random.default_rng(5).normal(size=(60, 3))[people] + 1.0 * v[:, None] + 0.05 * noise(1500, 3)
    by_group = attack(z, v, groups=people).balanced_accuracy
    by_row = attack(z, v).balanced_accuracy
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


@pytest.mark.slow
def test_features_that_repeat_the_task_add_nothing_to_it_and_those_that_hold_v_do() -> None:
    y = labels(3000)
    v = np.where(np.random.default_rng(2).random(3000) < 0.8, y, 1 - y)
    z = noise(3000)
    z[:, 0] += 6 * y
    repeats = attack(z, v, beside=Beside(y=y))
    assert repeats.bits.value > 0.2, "y tells v"
    assert repeats.given_task is not None
    assert abs(repeats.given_task.value) < 0.02
    z[:, 1] += 2 * v
    adds = attack(z, v, beside=Beside(y=y)).given_task
    assert adds is not None
    assert 0.1 < adds.low < adds.value < 0.722  # H(v | y)


@pytest.mark.slow
def test_a_leak_that_only_the_task_label_unlocks_is_found_given_it() -> None:
    y, bit = labels(2000), labels(2000, seed=7)
    z = noise(2000)
    z[:, 0] += 6 * bit
    found = attack(z, y ^ bit, beside=Beside(y=y), settings=CURVED)
    assert abs(found.bits.value) < 0.02
    assert found.given_task is not None
    assert found.given_task.value > 0.8
    told = attack(z, y ^ bit, beside=Beside(y=y)).given_task  # a linear attacker may be the best where all are blind
    assert told is not None
    assert told.value > 0.8
    unknown = np.where(np.arange(2000) % 4 == 0, -1, y)
    some = attack(z, y ^ bit, beside=Beside(y=unknown), settings=CURVED).given_task
    assert some is not None
    assert some.value > 0.8, "a row without a task label is left out, and is no class of its own"


def test_what_the_features_lack_and_the_input_holds_is_read_by_the_ceiling_alone() -> None:
    z, v = noise(2000), labels(2000)
    raw = noise(2000, 12, seed=9).astype(np.float32)
    raw[:, 3] += 3 * v
    beside = Beside(raw=raw, source="the input")
    found = attack(z, v, beside=beside, settings=replace(FEW, ceiling=True))
    assert abs(found.balanced_accuracy.value - 0.5) < 0.05
    assert found.ceiling is not None
    assert found.ceiling.figure.value == pytest.approx(0.933, abs=0.03)  # Φ(1.5)
    assert found.ceiling.source == "the input"
    assert attack(z, v, beside=beside, settings=FEW).ceiling is None, "it was not asked for"
    assert attack(z, v, settings=replace(FEW, ceiling=True)).ceiling is None, "there is no input"


def test_rare_cells_of_an_intersection_are_left_out_and_counted_apart_from_missing_values() -> None:
    a, b = labels(1500), labels(1500, seed=2)
    b[a == 1] = 0
    b[np.flatnonzero(a == 1)[:12]] = 1
    a[-30:] = -1
    both = intersect({"a": Column(a, ("w", "x")), "b": Column(b, ("y", "z"))})
    z = noise(1500)
    z[:, 0] += 2 * a
    found = attack(z, both, attribute="a+b", settings=FEW)
    assert found.left_out == {"x & z": 12}
    assert found.missing == 30
    assert [one.name for one in found.classes] == ["w & y", "w & z", "x & y"]
    assert sum(one.train + one.select + one.test for one in found.classes) == 1500 - 30 - 12
    assert found.chance == 1 / 3


def test_rows_without_a_value_change_nothing_but_their_number() -> None:
    z, v = noise(2000), labels(2000)
    z[:, 0] += 2.0 * v
    unknown = np.random.default_rng(3).random(2000) < 0.3
    z[unknown] = 1e6  # an attacker that saw them would be thrown
    found = attack(z, Column(np.where(unknown, -1, v), ("a", "b")), settings=FEW)
    assert found.missing == unknown.sum()
    assert sum(one.train + one.select + one.test for one in found.classes) == (~unknown).sum()
    assert found.balanced_accuracy.value == pytest.approx(0.841, abs=0.05)


def test_no_model_passes_on_attackers_that_could_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(_seed: int) -> tuple[object, ...]:
        return (lambda _width: KNeighborsClassifier(n_neighbors=10**6),)  # more than there are rows

    monkeypatch.setattr("audit.attackers.families.ATTACKERS", {**ATTACKERS, "knn": Family(hungry, hungry)})  # type: ignore[arg-type]
    found = attack(noise(3000), labels(3000), settings=replace(QUICK, attackers=("logistic", "knn")))
    assert found.excess.high < found.limit
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("2 of 4 attackers could not run")
    assert {one.name for one in found.attackers if one.failure is not None} == {"knn"}


def test_a_handful_of_rows_never_passes() -> None:
    assert attack(noise(120), labels(120)).verdict != "PASS"


def test_a_class_with_too_few_rows_is_named_with_its_counts() -> None:
    with pytest.raises(DataError, match=r"Class 'class 1' of 'v' has 10 / 4 / 6 rows .* each needs 10"):
        attack(noise(400), np.concatenate([np.zeros(380), np.ones(20)]).astype(np.int64))


def test_a_mistyped_attacker_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown attacker 'logstic'\. Did you mean 'logistic'\?"):
        attack(noise(400), labels(400), settings=replace(FEW, attackers=("logstic",)))


def test_a_prediction_that_has_nothing_to_do_with_the_attribute_has_the_floor_of_a_guess_without_its_noise() -> None:
    found = attack(noise(2000), labels(2000), beside=Beside(predicted=labels(2000, seed=9)))
    assert (found.floor.low, found.floor.value, found.floor.high) == (0.5, 0.5, 0.5)
    assert found.floor_bits.value == 0

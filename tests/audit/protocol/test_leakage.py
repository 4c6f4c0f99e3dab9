"""What the protocol says of leaks that were planted, and of features that know nothing."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from support.planted import FEW, classes, labels, measured, noise

from audit.attackers.families import ATTACKERS, Family
from audit.attackers.learner import Learner
from audit.data.columns import Column, Ints, Quantity, intersect
from audit.errors import DataError, UnknownNameError
from audit.evidence.findings import Estimate, Finding
from audit.evidence.metric import GIVEN_TASK
from audit.protocol.baselines import Baselines
from audit.settings import Settings

QUICK = Settings(attackers=("logistic", "products", "rbf-svm"), bootstrap=200, null_refits=3, ceiling=False)
CURVED = replace(QUICK, attackers=("rbf-svm",))
N = 3000


def attack(
    z: NDArray[np.float64],
    v: Ints | Column,
    *,
    attribute: str = "v",
    groups: Ints | None = None,
    baselines: Baselines | None = None,
    settings: Settings = QUICK,
) -> Finding:
    column = v if isinstance(v, Column) else classes(v)
    return measured(z, column, attribute=attribute, groups=groups, baselines=baselines, settings=settings)


def attack_quantity(
    z: NDArray[np.float64], a: NDArray[np.float64], *, baselines: Baselines | None = None, settings: Settings = FEW
) -> Finding:
    return measured(z, Quantity(a), attribute="age", baselines=baselines, settings=settings)


def test_a_planted_leak_is_found_and_fails() -> None:
    z, v = noise(1500), labels(1500)
    z[:, 2] += 2.0 * v  # Bayes-optimal balanced accuracy: Φ(1) = .841
    finding = attack(z, v)
    found = finding.measurement
    assert finding.decided.verdict == "FAIL"
    assert found.score.low < 0.841 < found.score.high + 0.02
    assert found.figures["auroc"].value == pytest.approx(0.921, abs=0.03)  # Φ(√2)
    assert 0.2 < found.figures["bits"].value < (found.entropy or 0)
    assert found.floor_score.value == found.guess == 0.5  # no task, so a guess
    assert found.excess.value == pytest.approx(found.score.value - 0.5)
    assert (found.width, found.missing, found.ceiling) == (6, 0, None)
    assert set(found.figures) == {"balanced_accuracy", "auroc", "bits"}, "without a task nothing is given it"


@pytest.mark.slow
@pytest.mark.parametrize("k", [2, 5])
def test_features_that_know_nothing_read_as_chance_and_about_zero_bits(k: int) -> None:
    finding = attack(noise(3000), labels(3000, k))
    found = finding.measurement
    assert found.guess == 1 / k
    assert abs(found.score.value - 1 / k) < 0.04
    assert abs(found.figures["auroc"].value - 0.5) < 0.04
    assert abs(found.figures["bits"].value) < 0.01
    assert finding.decided.verdict == "PASS"
    assert found.null.low <= 1 / k <= found.null.high


def test_an_imbalanced_attribute_that_is_not_there_reads_as_a_half_and_not_as_its_frequency() -> None:
    found = attack(noise(3000), labels(3000, share=0.15)).measurement
    assert abs(found.score.value - 0.5) < 0.05
    assert abs(found.figures["bits"].value) < 0.01


def test_an_imbalanced_attribute_that_is_there_is_read_at_the_right_threshold() -> None:
    v = labels(3000, share=0.1)
    z = noise(3000)
    z[:, 0] += 2.0 * v
    assert attack(z, v).measurement.score.value == pytest.approx(0.841, abs=0.04)


@pytest.mark.parametrize("settings", [replace(FEW, test_rows=600), replace(FEW, fit_rows=300)])
def test_rows_that_are_drawn_by_class_do_not_move_the_threshold(settings: Settings) -> None:
    v = labels(6000, share=0.05)
    z = noise(6000)
    z[:, 0] += 4.0 * v  # Φ(2) = .977
    assert attack(z, v, settings=settings).measurement.score.value == pytest.approx(0.977, abs=0.02)


def test_groups_of_uneven_size_do_not_move_the_threshold() -> None:
    generator = np.random.default_rng(1)
    groups = np.repeat(np.arange(60), np.maximum(2, generator.lognormal(3, 1.6, 60).astype(int)))
    v = (generator.random(60) < 0.5).astype(np.int64)[groups]  # other shares of the classes in each split
    z = noise(len(v))
    z[:, 0] += 6.0 * v
    assert attack(z, v, groups=groups, settings=FEW).measurement.score.value > 0.98


def test_a_leak_that_is_the_product_of_two_signs_is_found_although_a_linear_attacker_is_blind() -> None:
    z = noise(2000, d=4)
    v = (z[:, 0] * z[:, 1] > 0).astype(np.int64)
    found = attack(z, v).measurement
    linear = [one.figures["balanced_accuracy"] for one in found.attackers if one.name == "logistic"]
    assert len(linear) == 2
    assert all(estimate.value < 0.56 for estimate in linear)
    assert not found.strongest.startswith("logistic")
    assert found.score.value > 0.8


def test_a_leak_in_a_direction_of_small_variance_is_found_on_whitened_features() -> None:
    generator = np.random.default_rng(0)
    shared = generator.normal(size=(2000, 1))
    v = labels(2000)
    hidden = np.where(v == 1, 0.004, -0.004) + 0.0012 * generator.normal(size=2000)
    z = np.concatenate([shared + hidden[:, None], shared - hidden[:, None], noise(2000, 4)], axis=1)
    found = attack(z, v, settings=CURVED).measurement
    figures = {one.view: one.figures["balanced_accuracy"] for one in found.attackers if one.name == "rbf-svm"}
    assert figures["whitened"].value > figures["standardised"].value + 0.1
    assert found.score.value > figures["whitened"].value - 0.02


def test_what_the_predicted_label_tells_is_the_floor_and_no_excess() -> None:
    v = labels(3000)
    told = np.where(np.random.default_rng(2).random(3000) < 0.8, v, 1 - v)  # ŷ agrees with v in 80 %
    z = noise(3000)
    z[:, 0] = 3 * told
    finding = attack(z, v, baselines=Baselines(predicted=told), settings=FEW)
    found = finding.measurement
    assert found.floor_score.value == pytest.approx(0.8, abs=0.03)
    assert found.floor["bits"].value == pytest.approx(1 - 0.722, abs=0.05)  # 1 − H(.8)
    assert abs(found.excess.value) < 0.01
    assert finding.decided.verdict == "PASS"


def test_people_known_by_heart_are_a_leak_by_row_and_none_by_group() -> None:
    people = np.repeat(np.arange(150), 10)
    faces = np.random.default_rng(3).normal(size=(150, 8))[people] + 0.05 * noise(1500, 8)
    v = np.random.default_rng(4).integers(2, size=150)[people]
    assert attack(faces, v).measurement.score.value > 0.95
    assert attack(faces, v, groups=people).measurement.score.value < 0.7


def test_resampling_groups_gives_a_wider_interval_than_resampling_rows() -> None:
    people = np.repeat(np.arange(60), 25)
    v = (people % 2).astype(np.int64)
    z = np.random.default_rng(5).normal(size=(60, 3))[people] + 1.0 * v[:, None] + 0.05 * noise(1500, 3)
    by_group = attack(z, v, groups=people).measurement.score
    by_row = attack(z, v).measurement.score
    assert by_group.high - by_group.low > 2 * (by_row.high - by_row.low)


@pytest.mark.slow
def test_features_that_repeat_the_task_add_nothing_to_it_and_those_that_hold_v_do() -> None:
    y = labels(3000)
    v = np.where(np.random.default_rng(2).random(3000) < 0.8, y, 1 - y)
    z = noise(3000)
    z[:, 0] += 6 * y
    repeats = attack(z, v, baselines=Baselines(y=y)).measurement
    assert repeats.figures["bits"].value > 0.2, "y tells v"
    assert abs(repeats.figures[GIVEN_TASK].value) < 0.02
    z[:, 1] += 2 * v
    adds = attack(z, v, baselines=Baselines(y=y)).measurement.figures[GIVEN_TASK]
    assert 0.1 < adds.low < adds.value < 0.722  # H(v | y)


@pytest.mark.slow
def test_a_leak_that_only_the_task_label_unlocks_is_found_given_it() -> None:
    y, bit = labels(2000), labels(2000, seed=7)
    z = noise(2000)
    z[:, 0] += 6 * bit
    found = attack(z, y ^ bit, baselines=Baselines(y=y), settings=CURVED).measurement
    assert abs(found.figures["bits"].value) < 0.02
    assert found.figures[GIVEN_TASK].value > 0.8
    told = attack(z, y ^ bit, baselines=Baselines(y=y)).measurement  # the best may be linear: all are blind
    assert told.figures[GIVEN_TASK].value > 0.8
    unknown = np.where(np.arange(2000) % 4 == 0, -1, y)
    some = attack(z, y ^ bit, baselines=Baselines(y=unknown), settings=CURVED).measurement
    assert some.figures[GIVEN_TASK].value > 0.8, "a row without a task label is left out, and is no class of its own"


def test_what_the_features_lack_and_the_input_holds_is_read_by_the_ceiling_alone() -> None:
    z, v = noise(2000), labels(2000)
    raw = noise(2000, 12, seed=9).astype(np.float32)
    raw[:, 3] += 3 * v
    beside = Baselines(raw=raw, source="the input")
    found = attack(z, v, baselines=beside, settings=replace(FEW, ceiling=True)).measurement
    assert abs(found.score.value - 0.5) < 0.05
    assert found.ceiling is not None
    assert found.ceiling.figure.value == pytest.approx(0.933, abs=0.03)  # Φ(1.5)
    assert found.ceiling.source == "the input"
    assert attack(z, v, baselines=beside, settings=FEW).measurement.ceiling is None, "it was not asked for"
    assert attack(z, v, settings=replace(FEW, ceiling=True)).measurement.ceiling is None, "there is no input"


def test_rare_cells_of_an_intersection_are_left_out_and_counted_apart_from_missing_values() -> None:
    a, b = labels(1500), labels(1500, seed=2)
    b[a == 1] = 0
    b[np.flatnonzero(a == 1)[:12]] = 1
    a[-30:] = -1
    both = intersect({"a": Column(a, ("w", "x")), "b": Column(b, ("y", "z"))})
    z = noise(1500)
    z[:, 0] += 2 * a
    found = attack(z, both, attribute="a+b", settings=FEW).measurement
    assert found.left_out == {"x & z": 12}
    assert found.missing == 30
    assert [one.name for one in found.classes] == ["w & y", "w & z", "x & y"]
    assert sum(one.train + one.select + one.test for one in found.classes) == 1500 - 30 - 12
    assert found.guess == 1 / 3


def test_rows_without_a_value_change_nothing_but_their_number() -> None:
    z, v = noise(2000), labels(2000)
    z[:, 0] += 2.0 * v
    unknown = np.random.default_rng(3).random(2000) < 0.3
    z[unknown] = 1e6  # an attacker that saw them would be thrown
    found = attack(z, Column(np.where(unknown, -1, v), ("a", "b")), settings=FEW).measurement
    assert found.missing == unknown.sum()
    assert sum(one.train + one.select + one.test for one in found.classes) == (~unknown).sum()
    assert found.score.value == pytest.approx(0.841, abs=0.05)


def test_no_model_passes_on_attackers_that_could_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(_seed: int) -> tuple[object, ...]:
        return (lambda _width: Learner(KNeighborsClassifier(n_neighbors=10**6)),)  # more than there are rows

    monkeypatch.setattr("audit.attackers.families.ATTACKERS", {**ATTACKERS, "knn": lambda _: Family(hungry, hungry)})  # type: ignore[arg-type]
    finding = attack(noise(3000), labels(3000), settings=replace(QUICK, attackers=("logistic", "knn")))
    found = finding.measurement
    assert found.excess.high < finding.decided.limit
    assert finding.decided.verdict == "INCONCLUSIVE"
    assert finding.decided.reason.startswith("2 of 4 attackers could not run")
    assert {one.name for one in found.attackers if one.failure is not None} == {"knn"}


def test_a_handful_of_rows_never_passes() -> None:
    assert attack(noise(120), labels(120)).decided.verdict != "PASS"


def test_a_class_with_too_few_rows_is_named_with_its_counts() -> None:
    with pytest.raises(DataError, match=r"'v' has one class .* 10 in each of three .*, and 'class 1' has 20 in all"):
        attack(noise(400), np.concatenate([np.zeros(380), np.ones(20)]).astype(np.int64))


def test_a_mistyped_attacker_is_told_with_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown attacker 'logstic'\. Did you mean 'logistic'\?"):
        attack(noise(400), labels(400), settings=replace(FEW, attackers=("logstic",)))


def test_a_prediction_that_has_nothing_to_do_with_the_attribute_has_the_floor_of_a_guess_without_its_noise() -> None:
    found = attack(noise(2000), labels(2000), baselines=Baselines(predicted=labels(2000, seed=9))).measurement
    assert found.floor_score == Estimate(value=0.5, low=0.5, high=0.5)
    assert found.floor["bits"].value == 0


def test_a_planted_quantity_is_explained_as_far_as_it_goes_and_fails() -> None:
    z = noise(N)
    a = z[:, 1] + noise(N, 1, seed=1)[:, 0]  # half of the variance
    finding = attack_quantity(z, a, settings=replace(FEW, attackers=("logistic", "knn")))
    found = finding.measurement
    assert found.score.value == pytest.approx(0.5, abs=0.05)
    assert found.score.low < 0.5 < found.score.high
    assert found.excess == found.score, "the floor of no task is answering the mean"
    assert finding.decided.verdict == "FAIL"
    assert found.figures["mae"].value == pytest.approx(np.sqrt(2 / np.pi), abs=0.05)
    assert found.baseline == {"r2": 0, "mae": pytest.approx(2 / np.sqrt(np.pi), abs=0.05)}
    assert abs(found.null.mean) < 0.05
    assert found.null.low <= 0 <= found.null.high
    (rows,) = found.classes
    assert (rows.train, rows.select, rows.test) == pytest.approx((1500, 600, 900), abs=5)
    assert rows.name == "age"


def test_features_that_know_nothing_explain_nothing_of_a_quantity_and_pass() -> None:
    finding = attack_quantity(noise(N), noise(N, 1, seed=1)[:, 0])
    found = finding.measurement
    assert abs(found.score.value) < 0.02
    assert found.figures["mae"].value == pytest.approx(found.baseline["mae"], rel=0.02)
    assert finding.decided.verdict == "PASS"
    assert found.resolution < finding.decided.limit


def test_a_few_rows_of_a_quantity_never_pass() -> None:
    assert attack_quantity(noise(150), noise(150, 1, seed=1)[:, 0]).decided.verdict == "INCONCLUSIVE"


def test_what_the_predicted_label_tells_of_a_quantity_is_the_floor_and_no_excess() -> None:
    told = labels(N)
    a = 2.0 * told + noise(N, 1, seed=1)[:, 0]
    z = noise(N)
    z[:, 0] = 4 * told
    finding = attack_quantity(z, a, baselines=Baselines(predicted=told))
    assert finding.measurement.floor_score.value == pytest.approx(0.5, abs=0.05)
    assert abs(finding.measurement.excess.value) < 0.02
    assert finding.decided.verdict == "PASS"


def test_rows_without_a_quantity_are_counted_and_left_out() -> None:
    z = noise(N)
    a = z[:, 0] + noise(N, 1, seed=1)[:, 0]
    unknown = np.arange(N) % 5 == 0
    a[unknown], z[unknown] = np.nan, 1e6  # an attacker that saw them would be thrown
    found = attack_quantity(z, a).measurement
    (rows,) = found.classes
    assert found.missing == N // 5
    assert rows.train + rows.select + rows.test == N - N // 5
    assert found.score.value == pytest.approx(0.5, abs=0.05)


def test_what_the_input_holds_of_a_quantity_is_read_by_the_ceiling_alone() -> None:
    raw = noise(N, 12, seed=9).astype(np.float32)
    a = raw[:, 0] + noise(N, 1, seed=1)[:, 0]
    beside = Baselines(raw=raw, source="the input")
    found = attack_quantity(noise(N), a, baselines=beside, settings=replace(FEW, ceiling=True)).measurement
    assert abs(found.score.value) < 0.03
    assert found.ceiling is not None
    assert found.ceiling.figure.value == pytest.approx(0.5, abs=0.05)
    assert attack_quantity(noise(N), a, baselines=beside).measurement.ceiling is None


def test_an_attacker_of_quantities_that_cannot_run_is_told_and_no_model_passes_on_the_others() -> None:
    # a Poisson regressor takes no negative numbers
    settings = replace(FEW, attackers=("logistic", "sklearn.linear_model:PoissonRegressor"))
    finding = attack_quantity(noise(N), noise(N, 1, seed=1)[:, 0], settings=settings)
    found = finding.measurement
    assert [one.failure is not None for one in found.attackers] == [False, True, False, True, False]
    assert found.excess.high < finding.decided.limit
    assert finding.decided.verdict == "INCONCLUSIVE"
    assert finding.decided.reason.startswith("2 of 4 attackers could not run")


def test_too_few_rows_of_a_quantity_are_told_with_their_counts() -> None:
    a = np.where(np.arange(400) < 40, 1.0 * np.arange(400), np.nan)
    with pytest.raises(DataError, match=r"'age' has a value in 20 / 8 / 12 rows .* each needs 10"):
        attack_quantity(noise(400), a)

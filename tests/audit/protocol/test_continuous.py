"""A number that was planted is read as far as it was planted, and its figures stand beside what a guess gives."""

from dataclasses import replace

import numpy as np
import pytest
from audit.protocol.continuous import measure_continuous, read_continuous_ceiling
from numpy.typing import NDArray
from support.planted import FEW, labels, noise

from audit.data.columns import Quantity
from audit.errors import DataError
from audit.evidence.findings import ContinuousLeakage
from audit.evidence.verdict import judged_continuous
from audit.protocol.leakage import Beside
from audit.protocol.splits import split_rows
from audit.settings import Settings

N = 3000


def attack(
    z: NDArray[np.float64], a: NDArray[np.float64], *, beside: Beside | None = None, settings: Settings = FEW
) -> ContinuousLeakage:
    quantity = Quantity(a)
    splits = split_rows(np.arange(len(a)), [quantity], seed=0)
    beside = beside or Beside()
    found = measure_continuous(
        z,
        quantity,
        splits,
        attribute="age",
        layer="fc:input",
        settings=settings,
        beside=beside,
        ceiling=read_continuous_ceiling("age", quantity, splits, settings=settings, beside=beside),
    )
    return judged_continuous(found, settings.limit)


def test_a_planted_signal_is_explained_as_far_as_it_goes_and_fails() -> None:
    z = noise(N)
    a = z[:, 1] + noise(N, 1, seed=1)[:, 0]  # half of the variance
    found = attack(z, a)
    assert found.r2.value == pytest.approx(0.5, abs=0.05)
    assert found.r2.low < 0.5 < found.r2.high
    assert found.excess == found.r2, "the floor of no task is answering the mean"
    assert found.verdict == "FAIL"
    assert found.mae.value == pytest.approx(np.sqrt(2 / np.pi), abs=0.05)
    assert found.median_mae == pytest.approx(2 / np.sqrt(np.pi), abs=0.05)
    assert abs(found.null.mean) < 0.05
    assert found.null.low <= 0 <= found.null.high
    assert (found.rows.train, found.rows.select, found.rows.test) == pytest.approx((1500, 600, 900), abs=5)


def test_a_signal_that_is_no_line_is_found_although_the_linear_attacker_is_blind() -> None:
    z = noise(N, 2)
    found = attack(z, z[:, 0] ** 2 + noise(N, 1, seed=1)[:, 0])  # variances 2 and 1
    assert found.r2.value == pytest.approx(0.667, abs=0.08)
    linear = [one.r2 for one in found.attackers if one.name == "logistic"]
    assert all(one is not None and one.value < 0.1 for one in linear)
    assert not found.strongest.startswith("logistic")


def test_features_that_know_nothing_explain_nothing_and_pass() -> None:
    found = attack(noise(N), noise(N, 1, seed=1)[:, 0])
    assert abs(found.r2.value) < 0.02
    assert found.mae.value == pytest.approx(found.median_mae, rel=0.02)
    assert found.verdict == "PASS"
    assert found.resolution < found.limit


def test_a_few_rows_never_pass() -> None:
    assert attack(noise(150), noise(150, 1, seed=1)[:, 0]).verdict == "INCONCLUSIVE"


def test_what_the_predicted_label_tells_is_the_floor_and_no_excess() -> None:
    told = labels(N)
    a = 2.0 * told + noise(N, 1, seed=1)[:, 0]
    z = noise(N)
    z[:, 0] = 4 * told
    found = attack(z, a, beside=Beside(predicted=told))
    assert found.floor.value == pytest.approx(0.5, abs=0.05)
    assert abs(found.excess.value) < 0.02
    assert found.verdict == "PASS"


def test_attackers_that_each_read_a_part_read_more_together() -> None:
    z = noise(N, 10)
    found = attack(z, 2 * z[:, 0] + z[:, 1] ** 2 + noise(N, 1, seed=1)[:, 0])  # a line and a curve
    alone = [one.r2.value for one in found.attackers if one.r2 is not None]
    assert found.strongest == "committee"
    assert found.r2.value > max(alone) + 0.02


def test_the_unit_of_measurement_changes_the_error_alone() -> None:
    z = noise(1000)
    a = z[:, 0] + noise(1000, 1, seed=1)[:, 0]
    years, days = attack(z, a), attack(z, 1e6 + 365 * a)
    assert days.r2.value == pytest.approx(years.r2.value, abs=1e-3)
    assert days.null.mean == pytest.approx(years.null.mean, abs=1e-3)
    assert days.mae.value == pytest.approx(365 * years.mae.value, rel=1e-2)
    assert days.median_mae == pytest.approx(365 * years.median_mae, rel=1e-6)


def test_rows_without_a_value_are_counted_and_left_out() -> None:
    z = noise(N)
    a = z[:, 0] + noise(N, 1, seed=1)[:, 0]
    unknown = np.arange(N) % 5 == 0
    a[unknown], z[unknown] = np.nan, 1e6  # an attacker that saw them would be thrown
    found = attack(z, a)
    assert found.missing == N // 5
    assert found.rows.train + found.rows.select + found.rows.test == N - N // 5
    assert found.r2.value == pytest.approx(0.5, abs=0.05)


def test_what_the_input_holds_is_read_by_the_ceiling_alone() -> None:
    raw = noise(N, 12, seed=9).astype(np.float32)
    a = raw[:, 0] + noise(N, 1, seed=1)[:, 0]
    beside = Beside(raw=raw, source="the input")
    found = attack(noise(N), a, beside=beside, settings=replace(FEW, ceiling=True))
    assert abs(found.r2.value) < 0.03
    assert found.ceiling is not None
    assert found.ceiling.figure.value == pytest.approx(0.5, abs=0.05)
    assert attack(noise(N), a, beside=beside).ceiling is None


def test_an_attacker_that_cannot_run_is_told_and_no_model_passes_on_the_others() -> None:
    # a Poisson regressor takes no negative numbers
    settings = replace(FEW, attackers=("logistic", "sklearn.linear_model:PoissonRegressor"))
    found = attack(noise(N), noise(N, 1, seed=1)[:, 0], settings=settings)
    assert [one.failure is not None for one in found.attackers] == [False, True, False, True]
    assert found.excess.high < found.limit
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("2 of 4 attackers could not run")


def test_too_few_rows_are_told_with_their_counts() -> None:
    a = np.where(np.arange(400) < 40, 1.0 * np.arange(400), np.nan)
    with pytest.raises(DataError, match=r"'age' has a value in 20 / 8 / 12 rows .* each needs 10"):
        attack(noise(400), a)

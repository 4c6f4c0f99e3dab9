"""Attackers of a quantity: what is no line is found, several read more than each, and units change errors alone."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from support.planted import FEW, measured, noise

from audit.data.columns import Quantity
from audit.evidence.findings import ENSEMBLE, Measurement

N = 3000


def attack(z: NDArray[np.float64], a: NDArray[np.float64]) -> Measurement:
    return measured(z, Quantity(a), attribute="age").measurement


def test_a_signal_that_is_no_line_is_found_although_the_linear_attacker_is_blind() -> None:
    z = noise(N, 2)
    found = attack(z, z[:, 0] ** 2 + noise(N, 1, seed=1)[:, 0])  # variances 2 and 1
    assert found.score.value == pytest.approx(0.667, abs=0.08)
    linear = [one.figures["r2"].value for one in found.attackers if one.name == "logistic"]
    assert len(linear) == 2
    assert max(linear) < 0.1
    assert not found.strongest.startswith("logistic")


def test_attackers_that_each_read_a_part_read_more_together() -> None:
    z = noise(N, 10)
    two = replace(FEW, attackers=("logistic", "knn"))
    column = Quantity(2 * z[:, 0] + 2 * np.abs(z[:, 1]) + noise(N, 1, seed=1)[:, 0])  # a line and a curve
    found = measured(z, column, attribute="age", settings=two).measurement
    alone = [one.figures["r2"].value for one in found.attackers if one.name != ENSEMBLE]
    assert len(alone) == 4
    assert found.strongest == ENSEMBLE
    assert found.score.value > max(alone) + 0.02


def test_the_unit_of_measurement_changes_the_error_alone() -> None:
    z = noise(1000)
    a = z[:, 0] + noise(1000, 1, seed=1)[:, 0]
    years, days = attack(z, a), attack(z, 1e6 + 365 * a)
    assert days.score.value == pytest.approx(years.score.value, abs=1e-3)
    assert days.null.mean == pytest.approx(years.null.mean, abs=1e-3)
    assert days.figures["mae"].value == pytest.approx(365 * years.figures["mae"].value, rel=1e-2)
    assert days.baseline["mae"] == pytest.approx(365 * years.baseline["mae"], rel=1e-6)

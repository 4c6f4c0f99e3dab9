"""One broken row hides nothing: far values are drawn in for attackers, in their order, and told."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from support.planted import FEW, classes, labels, measured, noise

import irene
from audit.far_values import drawn_in, far_values

N = 1500


def leaking(*broken: int, value: float = 1e12) -> NDArray[np.float64]:
    """Return features whose first tells v, but for some broken rows."""
    z = noise(N)
    z[:, 0] += 3 * labels(N)
    z[[*broken], 0] = value
    return z


@pytest.mark.parametrize(("broken", "value"), [((7,), 1e12), ((1480,), 500.0), (tuple(range(0, 60, 7)), -1e30)])
def test_broken_rows_hide_no_leak_from_attackers(broken: tuple[int, ...], value: float) -> None:
    whole = measured(leaking(), classes(labels(N))).measurement
    found = measured(leaking(*broken, value=value), classes(labels(N))).measurement
    assert found.score.value > whole.score.value - 0.03
    assert all(one.figures["balanced_accuracy"].value > 0.85 for one in found.attackers)


def test_a_leak_that_is_in_the_magnitude_itself_is_read() -> None:
    z = noise(N)
    v = labels(N, share=0.05)
    z[:, 0] = np.where(v == 1, 10 ** np.random.default_rng(0).uniform(4, 12, N), z[:, 0])
    assert measured(z, classes(v), settings=replace(FEW, attackers=("logistic",))).measurement.score.value > 0.95


def test_far_values_keep_their_order_and_usual_ones_their_distances() -> None:
    z = noise(N)
    z[:5, 0] = [1e3, 1e6, 1e12, 1e30, -1e12]
    drawn = drawn_in(z)
    assert (np.argsort(drawn[:, 0]) == np.argsort(z[:, 0])).all()
    assert np.abs(drawn[:, 0]).max() < 15
    assert np.allclose(np.diff(drawn[5:, 0]) / np.diff(z[5:, 0]), np.diff(drawn[5:7, 0]) / np.diff(z[5:7, 0]))
    assert (drawn[:, 1:] == z[:, 1:]).all()


def test_features_without_far_values_are_left_as_they_are() -> None:
    usual = noise(N)
    sparse = np.maximum(noise(N, seed=3) - np.array([0, 0.1, 0.5, 1.28, 1.3, 2.5]), 0)  # 50 to 99 % of them at zero
    skewed, heavy = np.exp(noise(N, seed=4)), np.random.default_rng(0).standard_t(3, size=(N, 6))
    one_hot = np.eye(6)[np.random.default_rng(0).choice(6, N, p=[0.5, 0.3, 0.15, 0.04, 0.009, 0.001])]
    for z in (usual, sparse, skewed, heavy, one_hot, np.ones((N, 6)), usual * 1e-30, usual + 1e12):
        assert far_values([z]) is None
        assert drawn_in(z) is z


def test_how_many_rows_hold_far_values_is_told() -> None:
    rows = irene.labelled(np.zeros((N, 1), dtype=np.float32), {"v": labels(N)})

    def notes(z: NDArray[np.float64]) -> list[str]:
        found = irene.audit_embeddings({"z": z}, rows, private="v", settings=FEW)
        return [note for note in found.warnings if "far out" in note]

    (note,) = notes(leaking(3, 30, 300))
    assert "at 'z', 3 of 1,500 rows" in note
    assert not notes(leaking())

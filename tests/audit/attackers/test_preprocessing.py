"""Preprocessing learns from every row, however many there are, and keeps a block of them in memory."""

import numpy as np
import pytest
from numpy.typing import NDArray

from audit.attackers import preprocessing as module
from audit.attackers.attack import transformed
from audit.attackers.preprocessing import VIEWS, preprocessing
from audit.data.on_disk import filed
from audit.far_values import DrawnIn, far_values

ROWS, WIDTH, BLOCK = 5_000, 12, 700


def features() -> NDArray[np.float32]:
    """Draw rows whose features share directions, a narrow one among these, with a row far out and a rare feature."""
    draw = np.random.default_rng(0)
    z = draw.normal(size=(ROWS, WIDTH)) @ draw.normal(size=(WIDTH, WIDTH)) + 7
    z[:, 1] = z[:, 0] + 1e-3 * draw.normal(size=ROWS)
    z[:, 2] = 0
    z[[1_111, 2_222, 3_333], 2] = [1, 2, 3]  # of 5,000: hardly one in a sample
    z[4_000, 3] = 1e12
    z[:, 4] = 5
    return z.astype(np.float32)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("draws_in", [True, False])
def test_rows_in_blocks_are_preprocessed_as_all_at_once(
    view: str, draws_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = features()
    drawn: DrawnIn | None = far_values([z]) if draws_in else None
    assert (drawn is None) != draws_in
    whole = transformed(preprocessing(view, z, drawn), z)
    monkeypatch.setattr(module, "HELD", BLOCK * WIDTH)
    in_blocks = transformed(preprocessing(view, filed([z], ROWS), drawn), z)
    assert whole.shape == in_blocks.shape == (ROWS, WIDTH if view == "standardised" else WIDTH - 1)
    turned = np.sign((whole * in_blocks).sum(axis=0)) if view == "whitened" else np.ones(WIDTH)
    assert in_blocks * turned == pytest.approx(whole, abs=0.02 if view == "whitened" else 1e-4)


def test_whitening_of_blocks_drops_what_is_rounding_and_one_vector_has_no_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(1)
    z = (draw.normal(size=(ROWS, 3)) @ draw.normal(size=(3, WIDTH))).astype(np.float64)
    monkeypatch.setattr(module, "HELD", BLOCK * WIDTH)
    white = preprocessing("whitened", z).transform(z)
    assert white.shape == (ROWS, 3)
    assert np.cov(white.T) == pytest.approx(np.eye(3), abs=1e-6)
    same = np.ones((ROWS, WIDTH), dtype=np.float32)
    assert preprocessing("whitened", same).transform(same).shape == (ROWS, WIDTH)

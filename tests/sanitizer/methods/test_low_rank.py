"""The map of a rich release, settled on all rows at once."""

from functools import partial

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC
from torch import Tensor
from torch.nn import functional

from sanitizer.information import explained_share
from sanitizer.methods.low_rank import LowRank, refined, whitened

N = 800


def hidden() -> tuple[Tensor, Tensor]:
    """Draw features of four deviations whose first two tell v by the product of their signs, which no line sees."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(N, 6, generator=generator, dtype=torch.float64)
    v = (z[:, 0] * z[:, 1] > 0).long()
    z[:, :2] += 0.4 * z[:, :2].sign()
    return (z * torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 1.0]) + 5).float(), v


def passing_two() -> LowRank:
    """Let the first two features pass, and a little of the third."""
    down = torch.zeros(2, 6)
    down[0, 0], down[1, 1], down[1, 2] = 1.0, 0.5, 0.1
    return LowRank(down, torch.linalg.pinv(down), torch.full((6,), 5.0), [])


def readable(z: Tensor, v: Tensor) -> float:
    return float(np.mean(cross_val_score(SVC(C=10), whitened(z).rows.numpy(), v.numpy(), cv=3)))


def test_white_coordinates_are_white_and_lead_back() -> None:
    z, _ = hidden()
    white = whitened(z)
    assert torch.allclose(torch.cov(white.rows.T, correction=0), torch.eye(6, dtype=torch.float64), atol=1e-6)
    assert torch.allclose((z.double() - white.mean) @ white.to, white.rows)
    assert torch.allclose(white.rows @ white.back + white.mean, z.double(), atol=1e-5)


def test_settling_takes_away_what_passes_of_v_and_what_no_line_tells() -> None:
    z, v = hidden()
    narrow = passing_two()
    with torch.no_grad():
        assert readable(narrow(z), v) > 0.9
    share = partial(explained_share, k=2, ridge=1e-2)
    # 2 of 6 directions pass, so `changed` has far to go before it matters here
    maps = {
        stay: refined(narrow, z, torch.zeros(N, 2), lambda c: 10 * share(c, v), stay=stay) for stay in (0.0, 1000.0)
    }
    assert readable(maps[0.0](z), v) < 0.75
    assert readable(maps[1000.0](z), v) > 0.9  # as far as it may
    for one in maps.values():
        assert torch.linalg.matrix_rank(one.weight, rtol=1e-4) == 2


def test_a_map_that_leaks_nothing_stays_as_it_was() -> None:
    z, _ = hidden()
    narrow = passing_two()
    refined_ = refined(narrow, z, torch.zeros(N, 2), lambda c: c.sum() * 0, stay=10.0)
    with torch.no_grad():
        assert torch.allclose(refined_(z), narrow(z), atol=1e-4)


def test_what_is_put_in_place_is_what_the_model_was_used_to() -> None:
    """By least squares: no other map of what passes now comes nearer to what stood there."""
    z, v = hidden()
    narrow = passing_two()
    map_ = refined(narrow, z, torch.zeros(N, 2), lambda c: 10 * explained_share(c, v, k=2, ridge=1e-2), stay=1.0)
    with torch.no_grad():
        now, before = map_(z).double(), narrow(z).double()
    beside = torch.cat([now, torch.ones(N, 1, dtype=torch.float64)], dim=1)
    best = beside @ torch.linalg.pinv(beside, rtol=1e-5) @ before
    assert (now - before).square().sum() == pytest.approx(float((best - before).square().sum()), rel=1e-3)


def test_what_the_scores_say_goes_on_passing() -> None:
    """Two directions tell v together: what goes is of the one that does not tell the task."""
    z, v = hidden()
    for task, other in ((0, 1), (1, 0)):
        scores = torch.stack([-z[:, task], z[:, task]], dim=1)
        map_ = refined(passing_two(), z, scores, lambda c: 10 * explained_share(c, v, k=2, ridge=1e-2), stay=1.0)
        with torch.no_grad():
            assert readable(map_(z), v) < 0.85
            passes = torch.linalg.svd((map_(z) - map_(z).mean(dim=0)).double(), full_matrices=False).U[:, :2]
            centred = functional.normalize((z - z.mean(dim=0)).double(), dim=0)
            share = (passes.T @ centred).square().sum(dim=0)
        assert share[task] > 0.99 and share[other] < 0.7


def test_the_scales_of_what_passed_do_not_matter() -> None:
    """Training leaves them as they come: a direction a thousand times as long is settled as any other."""
    z, v = hidden()
    long = passing_two()
    with torch.no_grad():
        long.down[0] *= 1000
        long.up[:, 0] /= 1000
        long.down[1] += long.down[0]
        long.up[:, 0] -= long.up[:, 1]
        long.inside.copy_(-long.down.sum(dim=1) * 5)
    scores = torch.stack([-z[:, 0], z[:, 0]], dim=1)
    maps = [
        refined(one, z, scores, lambda c: 10 * explained_share(c, v, k=2, ridge=1e-2), stay=1.0)
        for one in (passing_two(), long)
    ]
    with torch.no_grad():
        assert torch.allclose(maps[0](z), maps[1](z), atol=0.05)
        assert readable(maps[1](z), v) < 0.85

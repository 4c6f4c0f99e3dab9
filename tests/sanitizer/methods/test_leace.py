"""LEACE: no linear trace stays, not even of the size of rounding in a unit that never fires."""

import torch

from sanitizer.methods.base import Rows
from sanitizer.methods.leace import LeaceObjective


def fitted(z: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return features behind the map that is fitted to them, (n, d), as a model in float32 gives them."""
    rows = Rows(z, z, torch.zeros(len(z), 2), torch.zeros(len(z), dtype=torch.int64), {"v": v})
    release = LeaceObjective({"v": 2}).finished(lambda: rows)
    assert release is not None
    behind: torch.Tensor = release(z).detach()
    return behind


def test_units_that_never_vary_leave_as_they_were_and_tell_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    v = torch.randint(2, (600,), generator=generator)
    z = torch.randn(600, 12, generator=generator) @ torch.randn(12, 12, generator=generator)
    z[:, 0] += 3 * v
    z[:, 5], z[:, 7] = 0.0, 2.5  # a dead unit, and one that gives one number
    behind = fitted(z, v)
    assert set(behind[:, 5].tolist()) == {0.0}
    assert len(set(behind[:, 7].tolist())) == 1
    told = [
        abs(torch.corrcoef(torch.stack([one, v.float()]))[0, 1].item())
        for one in behind.T
        if len(set(one.tolist())) > 1
    ]
    assert len(told) == 10
    assert max(told) < 1e-4

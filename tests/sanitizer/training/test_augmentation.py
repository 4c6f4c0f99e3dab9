"""Training images that change each time, and rows that cannot."""

import pytest
import torch

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.errors import DataError
from sanitizer.training.batches import augmented


def images(n: int = 64) -> LabelledData:
    ramp = torch.arange(16.0).repeat(16, 1).expand(n, 1, 16, 16).clone()  # brighter to the right
    y = torch.arange(n).numpy() % 2
    return LabelledData("ramps", ramp, {"y": Column(y, ("no", "yes"))})


def mirrored(data: LabelledData) -> int:
    return sum(bool(data.inputs[row][0, 8, 12] < data.inputs[row][0, 8, 4]) for row in range(len(data)))


def test_half_of_the_images_are_mirrored_by_flip_and_none_by_shift() -> None:
    torch.manual_seed(0)
    assert 20 <= mirrored(augmented(images(), "flip")) <= 44
    assert mirrored(augmented(images(), "shift")) == 0
    assert augmented(images(), "none").inputs[0].equal(images().inputs[0])


def test_a_shift_is_at_most_an_eighth_of_the_side_and_differs_each_time() -> None:
    torch.manual_seed(0)
    data = augmented(images(), "shift")
    moved = [float(data.inputs[0][0, 8, 8]) - 8 for _ in range(40)]
    assert {abs(step) for step in moved} <= {0.0, 1.0, 2.0}
    assert len(set(moved)) > 2


def test_torchs_seed_decides_it() -> None:
    data, seen = augmented(images(), "flip"), []
    for _ in range(2):
        torch.manual_seed(7)
        seen.append(torch.stack([data.inputs[row] for row in range(8)]))
    assert torch.equal(*seen)


def test_rows_that_are_no_images_are_refused() -> None:
    table = LabelledData("table", torch.zeros(4, 3), {"y": Column(torch.arange(4).numpy() % 2, ("a", "b"))})
    with pytest.raises(DataError, match="no images"):
        augmented(table, "flip")

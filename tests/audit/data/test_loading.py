"""Inputs in batches: what cannot be read is left out by its row, and nothing else is taken for it."""

import pytest
import torch
from torch import Tensor

from audit.data.loading import batches
from audit.errors import DataError, UnreadableError


class Some:
    """Four inputs, of which the third is broken and the fourth is no tensor."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int, /) -> Tensor:
        if row == 2:
            raise UnreadableError("broken")
        return torch.full((2,), float(row)) if row < 3 else "text"  # type: ignore[return-value]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_input_that_cannot_be_read_is_left_out_and_the_others_keep_their_rows(workers: int) -> None:
    found = list(batches(Some(3), batch_size=2, workers=workers))
    assert [rows for rows, _ in found] == [[0, 1], []]
    assert torch.equal(found[0][1], torch.tensor([[0.0, 0.0], [1.0, 1.0]]))


def test_a_text_is_no_input_that_cannot_be_read() -> None:
    with pytest.raises(DataError, match="An input is a str"):
        list(batches(Some(4), batch_size=4, workers=0))

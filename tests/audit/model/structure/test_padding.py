"""A token that fills rows up is noticed, and text is not taken for it."""

import pytest
import torch
from torch import Tensor

from audit.model.structure.padding import Ends


def suspect(*batches: Tensor) -> int | None:
    ends = Ends()
    for x in batches:
        ends.add(x)
    return ends.suspect()


def filled(token: int, *, left: bool = False, rows: int = 40, most: int = 9) -> Tensor:
    g = torch.Generator().manual_seed(0)
    x = torch.randint(5, 50, (rows, most), generator=g)
    for row, length in enumerate(torch.randint(3, most + 1, (rows,), generator=g).tolist()):
        if left:
            x[row, : most - length] = token
        else:
            x[row, length:] = token
    return x


@pytest.mark.parametrize("left", [False, True])
@pytest.mark.parametrize("token", [0, 1, 60])
def test_a_token_at_the_ends_of_rows_of_unlike_lengths_is_seen(token: int, left: bool) -> None:
    x = filled(token, left=left)
    assert suspect(x) == suspect(x[:7], x[7:]) == token


def test_text_is_not_taken_for_padding() -> None:
    g = torch.Generator().manual_seed(0)
    text = torch.randint(5, 12, (200, 9), generator=g)
    assert suspect(text) is None, "a token that is repeated at an end stands elsewhere, too"
    assert suspect(torch.cat([text, torch.full((200, 1), 3)], dim=1)) is None, "every row ends in its own end"
    assert suspect(torch.cat([text, torch.full((200, 2), 3)], dim=1)) is None, "all are as long"
    assert suspect(filled(0), torch.tensor([[7, 0, 7, 7, 7, 7, 7, 7, 7]])) is None, "0 is a word"

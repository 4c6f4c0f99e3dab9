"""A network and rows that train in a moment."""

import torch
from torch import Tensor, nn

from audit.data.columns import Column
from audit.data.labelled import LabelledData


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.encoder(x))
        return scores


class Rows:
    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int, /) -> Tensor:
        return self.x[row]


def rows(n: int = 100) -> LabelledData:
    x = torch.randn(n, 5, generator=torch.Generator().manual_seed(0))
    y, v = ((x[:, i] > 0).long().numpy() for i in (0, 1))
    return LabelledData("toy", Rows(x), {"y": Column(y, ("a", "b")), "v": Column(v, ("c", "d"))})


def net() -> Net:
    torch.manual_seed(0)
    return Net()

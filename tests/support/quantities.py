"""Networks that tell the first number of what they see, as a quantity or by thresholds."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """Tells the first number of what it sees: as an age, or by thresholds at -1, 0 and 1."""

    def __init__(self, at: tuple[float, ...] = (40.0,), slope: float = 10.0) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(5, 8), nn.Linear(8, len(at))
        with torch.no_grad():
            self.body.weight.copy_(torch.cat([torch.eye(5), torch.zeros(3, 5)]))
            self.body.bias.zero_()
            self.head.weight.copy_(slope * torch.eye(1, 8).expand(len(at), 8))
            self.head.bias.copy_(torch.tensor(at))

    def forward(self, x: Tensor) -> Tensor:
        said: Tensor = self.head(self.body(x))
        return said


def ages() -> Net:
    return Net()


def deviations() -> Net:
    return Net((0.0,), 1.0)


def steps() -> Net:
    return Net((3.0, 0.0, -3.0), 3.0)

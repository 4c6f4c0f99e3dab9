"""The biased branch: a network that can learn little but the bias, for methods that use its predictions.

For images it is the network of Biased-MNIST with 1×1 kernels, which sees colours and no shapes (Bahng, Chun, Yun,
Choo, Oh, Learning De-biased Representations with Biased Representations, ICML 2020). For other inputs the bias is
taken as known: the branch reads the private labels themselves.
"""

from collections.abc import Mapping
from typing import TypeGuard

from torch import Tensor, nn

from audit.errors import DataError
from sanitizer.methods.base import Batch, Setting
from sanitizer.methods.heads import one_hot

WIDTHS = (16, 32, 64, 128)
FEATURES = WIDTHS[-1]
PIXELS = 16
"""Of each side, at most, in the branch: its features are spatial means, which a strided grid of pixels approximates."""


class Biased(nn.Module):
    """Predicts the task from the bias: 128 features and a linear classifier."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self._sees_images, self._classes = _is_images(setting.x), dict(setting.classes)
        self.body = _convolutions(setting.x.shape[1]) if _is_images(setting.x) else _known(self._classes)
        self.classifier = nn.Linear(FEATURES, setting.task_classes)

    def features(self, batch: Batch) -> Tensor:
        """Return its features of the images, or of the private labels, (n, 128)."""
        x = batch.x() if self._sees_images else None
        features: Tensor = self.body(_pixels(x) if _is_images(x) else one_hot(batch.v, self._classes))
        return features

    def forward(self, batch: Batch) -> Tensor:
        """Return its scores of the task's classes, (n, k)."""
        scores: Tensor = self.classifier(self.features(batch))
        return scores


def _is_images(x: object) -> TypeGuard[Tensor]:
    return isinstance(x, Tensor) and x.ndim == 4


def _pixels(x: Tensor) -> Tensor:
    """Return a coarse grid of single pixels of images (n, c, h, w); a bias in a few pixels can fall between."""
    apart = -(-max(x.shape[2:]) // PIXELS)
    return x[:, :, ::apart, ::apart].float()


def _convolutions(channels: int) -> nn.Module:
    blocks: list[nn.Module] = []
    for before, width in zip((channels, *WIDTHS), WIDTHS, strict=False):
        blocks += [nn.Conv2d(before, width, 1), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _known(classes: Mapping[str, int]) -> nn.Module:
    if not classes:
        raise DataError(
            "For inputs that are not images this method reads the bias from the private labels, and there are none. "
            "Name a private attribute, for instance --private gender."
        )
    return nn.Sequential(nn.Linear(sum(classes.values()), FEATURES), nn.ReLU())

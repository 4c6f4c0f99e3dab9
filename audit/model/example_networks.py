"""The networks that the built-in data sources are trained with."""

from torch import Tensor, nn


class ConvNet(nn.Module):
    """Convolutions with batch norm and ReLU, global average pooling (the bottleneck), one linear layer."""

    def __init__(self, widths: tuple[int, ...], *, kernel: int, strides: tuple[int, ...], num_classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for before, width, stride in zip((3, *widths), widths, strides, strict=False):
            blocks += [
                nn.Conv2d(before, width, kernel, stride=stride, padding=kernel // 2),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
        self.encoder = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(widths[-1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the class scores, (n, num_classes), of images (n, 3, h, w)."""
        scores: Tensor = self.classifier(self.encoder(x))
        return scores


def biased_mnist(num_classes: int = 10) -> ConvNet:
    """Build the paper's network: four 7×7 convolutions, 128 features at the bottleneck."""
    return ConvNet((16, 32, 64, 128), kernel=7, strides=(1, 1, 1, 1), num_classes=num_classes)


def small_convnet(num_classes: int = 10) -> ConvNet:
    """Build a network that a laptop trains in seconds: three 3×3 convolutions, 64 features."""
    return ConvNet((32, 64, 64), kernel=3, strides=(1, 2, 2), num_classes=num_classes)

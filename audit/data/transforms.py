"""Transforms from an image or a clip to what a model was trained on: three usual ones, or the published one."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import EnumType
from typing import cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from audit.errors import DataError, IreneError, UnknownNameError, in_one_line
from audit.plugins import resolve

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green and blue, in [0, 1]."""
NORMALISATION: dict[str, tuple[tuple[float, ...], tuple[float, ...]] | None] = {
    "imagenet": (MEAN, DEVIATION),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "unit": None,
}
"""Mean subtracted from red, green and blue in [0, 1], and divisor; None leaves them in [0, 1]."""
DEEP = 2**16 - 1
"""White of grey with 16 bits."""
IMAGE_SIZE = 224
"""Side of the square in pixels where none is asked for."""
FORMS = "imagenet, half or unit, or package.module:factory or file.py:factory"

AXES = {"cthw": (1, 0, 2, 3), "tchw": (0, 1, 2, 3)}
"""Orders in which models take channels, frames, height and width of a clip, and where each stands in (t, c, h, w)."""
OF_VIDEO, OF_VIDEO_AXES = "torchvision.models.video", "cthw"
"""Architectures whose order of axes is known."""


@dataclass(frozen=True)
class ImageTransform:
    """A function from an RGB image to a model's input, (channels, h, w)."""

    name: str
    """One that opens the same transform again, whatever a library calls its default by then."""
    image_size: int | None
    """Side of the square in pixels; None where the transform has a size of its own."""
    apply: Callable[[Image.Image], Tensor]
    takes_deep: bool = False
    """Whether `apply` also takes grey of 16 bits (`I;16`), 0 to 65,535, and keeps all of them."""


@dataclass(frozen=True)
class ClipTransform:
    """A function from frames, (t, 3, h, w) uint8, to a model's input."""

    name: str
    image_size: int | None
    """These two as of an image."""
    axes: str | None
    """Order of the input's axes, one of AXES; None where the transform has an order of its own."""
    apply: Callable[[Tensor], object]


def image_transform(name: str | None, *, image_size: int | None = None) -> ImageTransform:
    """Open a transform by name.

    `imagenet`, `half` and `unit` resize the shorter side to `image_size`, by default 224, cut out the centre square and
    scale to [0, 1]; then `imagenet` takes off ImageNet's mean and divides by its deviation, and `half` gives [-1, 1].
    Any other has a size of its own: `timm:NAME`, or a factory without arguments that returns a callable from an RGB
    image to a tensor, for instance `torchvision.models:ResNet18_Weights.DEFAULT.transforms`.
    """
    if not name:
        raise DataError(f"No --transform was named, and a model sees nothing in images of another scale. Give {FORMS}.")
    if name in NORMALISATION:
        size = square(IMAGE_SIZE if image_size is None else image_size)
        return ImageTransform(name, size, _standard(size, NORMALISATION[name]), takes_deep=True)
    if ":" not in name:
        raise UnknownNameError("transform", name, [*NORMALISATION, "package.module:factory", "file.py:factory"])
    if image_size is not None:
        raise DataError(f"Transform {name!r} has an image size of its own. Leave image_size out.")
    if name.startswith("timm:"):
        return _of_timm(name.removeprefix("timm:"))
    weights, alias, rest = name.partition(".DEFAULT.")
    if alias and isinstance(known := resolve(weights, "transform"), EnumType):  # the weights that it stands for today
        name = f"{weights}.{known['DEFAULT'].name}.{rest}" if "DEFAULT" in known.__members__ else name
    apply = resolve(name, "transform")()
    if not callable(apply):
        raise DataError(f"{name} returned a {type(apply).__name__}. A transform's factory returns a callable.")
    return ImageTransform(name, None, apply)


def is_of_images(name: str) -> bool:
    """Return whether a transform takes a single image, so that of a clip it takes frame by frame."""
    return name in NORMALISATION or name.startswith("timm:")


def in_order(axes: str) -> str:
    """Return an order of axes as people write it: (c, t, h, w)."""
    return f"({', '.join(axes)})"


def clip_transform(name: str, *, image_size: int | None = None, axes: str | None = None) -> ClipTransform:
    """Open a transform of clips by name.

    Those of images are applied to each frame, and the frames put in the order that `axes` says. What a factory returns
    takes all frames, (t, 3, h, w) uint8, and returns what the model takes, as those do that torchvision publishes.
    """
    found = image_transform(name, image_size=image_size)
    if not is_of_images(name):
        if axes is not None:
            raise DataError(f"Transform {name!r} has an order of axes of its own. Leave clip_axes out.")
        return ClipTransform(found.name, None, None, cast(Callable[[Tensor], object], found.apply))
    if axes not in AXES:
        raise UnknownNameError("order of a clip's axes", str(axes), AXES)
    return ClipTransform(found.name, found.image_size, axes, _EachFrame(found.apply, axes))


def known_transform(architecture: str) -> str | None:
    """Return the name of the transform that was published with the default weights of an `--arch`, if one was."""
    location, _, name = architecture.rpartition(":")
    if location == "timm":
        return architecture
    if not location.startswith("torchvision.models"):
        return None
    from torchvision.models import get_model_weights  # noqa: PLC0415 - torchvision takes a second to import

    try:
        weights = get_model_weights(name)
    except ValueError:  # no model of torchvision's, or one that it published no weights for
        return None
    return f"{weights.__module__}:{weights.__qualname__}.{weights.DEFAULT.name}.transforms"


def square(image_size: int) -> int:
    """Return the side of an image, once it is one. Raises DataError if it is not a whole number above 0."""
    if not isinstance(image_size, int) or image_size < 1:
        raise DataError(f"image_size is {image_size!r}; it is a side in pixels. Give a whole number, for instance 64.")
    return image_size


def _standard(
    size: int, normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None
) -> Callable[[Image.Image], Tensor]:
    from torchvision.transforms import v2  # noqa: PLC0415 - torchvision takes a second to import

    steps = [_Deep(), v2.PILToTensor(), v2.Resize(size), v2.CenterCrop(size), v2.ToDtype(torch.float32, scale=True)]
    if normalisation is not None:
        steps.append(v2.Normalize(*normalisation))
    composed: Callable[[Image.Image], Tensor] = v2.Compose(steps)
    return composed


@dataclass(frozen=True)
class _EachFrame:
    apply: Callable[[Image.Image], Tensor]
    axes: str

    def __call__(self, clip: Tensor) -> Tensor:
        frames = [self.apply(Image.fromarray(frame)) for frame in clip.permute(0, 2, 3, 1).numpy()]
        return torch.stack(frames).permute(AXES[self.axes]).contiguous()


class _Deep:
    """Makes a tensor in [0, 1], (3, h, w), of grey of 16 bits, and passes on what has 8."""

    def __call__(self, image: Image.Image) -> Image.Image | Tensor:
        if image.mode != "I;16":
            return image
        return torch.from_numpy(np.asarray(image).astype(np.float32) / DEEP).expand(3, -1, -1)


def _of_timm(architecture: str) -> ImageTransform:
    try:
        timm = importlib.import_module("timm")
        data = importlib.import_module("timm.data")
    except ModuleNotFoundError as error:
        raise IreneError(f"Cannot import timm for the transform: no module named {error.name!r}. Install it.") from None
    try:
        published = timm.get_pretrained_cfg(architecture, allow_unregistered=False)
    except RuntimeError as error:
        raise DataError(
            f"timm publishes no transform for {architecture!r} ({in_one_line(error)}). Give {FORMS}."
        ) from None
    config = data.resolve_data_config(pretrained_cfg=published.to_dict())
    return ImageTransform(
        name=f"timm:{published.architecture}" + (f".{published.tag}" if published.tag else ""),
        image_size=None,
        apply=data.create_transform(**config, is_training=False),
    )

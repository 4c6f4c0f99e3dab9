"""What may stand at a bottleneck: a finite code, or an affine map."""

import math

import torch
from torch import Tensor, nn

from audit.errors import BottleneckError
from audit.model.maps.shapes import InFloat32, require_shapes


class Code(InFloat32):
    """A finite code: each row of z is replaced by one of a few codewords.

    Which one is decided by the class with the highest score, and by how many of that class's cuts the score exceeds.
    """

    weight: Tensor
    """Weight of the classes' scores z · weight + bias, (k, d)."""
    bias: Tensor
    """Bias of the classes' scores, (k,)."""
    cuts: Tensor
    """Ascending cuts of each class's score, (k, levels − 1)."""
    words: Tensor
    """Codewords, (k · levels, d)."""

    def __init__(self, weight: Tensor, bias: Tensor, cuts: Tensor, words: Tensor) -> None:
        super().__init__()
        parts = {"weight": weight, "bias": bias, "cuts": cuts, "words": words}
        require_shapes(OF_A_CODE, parts)
        if len(words) != len(weight) * (cuts.shape[1] + 1):
            raise BottleneckError(
                f"words is {tuple(words.shape)}, which does not go with cuts, {tuple(cuts.shape)}: a class has a word "
                "more than cuts"
            )
        for name, value in parts.items():
            self.register_buffer(name, value)

    def forward(self, z: Tensor) -> Tensor:
        """Replace each row, (n, d) or (n, d, 1, …), by its codeword."""
        flat = vectors(z, self.weight.shape[1]).float()
        with torch.autocast(z.device.type, enabled=False):  # in halves another word would be chosen
            score, label = nn.functional.linear(flat, self.weight, self.bias).max(dim=1)
        level = (score[:, None] > self.cuts[label]).sum(dim=1)
        words = self.words[label * (self.cuts.shape[1] + 1) + level]
        return words.to(z.dtype).reshape(z.shape)


class Affine(InFloat32):
    """An affine map of the bottleneck, for instance an eraser."""

    weight: Tensor
    """(d, d)."""
    bias: Tensor
    """(d,)."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        require_shapes(OF_AN_AFFINE_MAP, {"weight": weight, "bias": bias})
        if weight.shape[0] != weight.shape[1]:
            raise BottleneckError(f"weight is {tuple(weight.shape)}, and has to be square")
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def forward(self, z: Tensor) -> Tensor:
        """Map each row, (n, d) or (n, d, 1, …)."""
        flat = vectors(z, self.weight.shape[1]).float()
        with torch.autocast(z.device.type, enabled=False):  # in halves what was erased would come back in part
            mapped = nn.functional.linear(flat, self.weight, self.bias)
        return mapped.to(z.dtype).reshape(z.shape)


OF_A_CODE = {"weight": "k d", "bias": "k", "cuts": "k cuts?", "words": "words d"}
OF_AN_AFFINE_MAP = {"weight": "d d'", "bias": "d"}


def vectors(value: object, width: int | None = None) -> Tensor:
    """Return the value at a layer as one vector a row, (n, d); raise a BottleneckError if it has none.

    Where `width` is given, d has to be that.
    """
    if not isinstance(value, Tensor) or value.ndim < 2 or math.prod(value.shape[2:]) != 1:
        shape = list(value.shape[1:]) if isinstance(value, Tensor) else type(value).__name__
        raise BottleneckError(
            f"A layer that is to be replaced gives {shape} a row, not one vector. Choose a layer behind the pooling, "
            "for instance the input of the last linear layer."
        )
    flat = value.flatten(1)
    if width is not None and flat.shape[1] != width:
        raise BottleneckError(
            f"What irene put at the bottleneck is made for {width} features a row, and the layer gives "
            f"{flat.shape[1]}: it is another model's. Take the checkpoint that `irene sanitize` wrote, and the "
            "architecture that it was made from."
        )
    return flat

"""A map of z to few dimensions and back: a linear part and a residual network, all in factors."""

import torch
from torch import Tensor
from torch.nn import functional

from audit.model.maps.affine_and_code import vectors
from audit.model.maps.shapes import InFloat32, require_shapes


class ResidualMap(InFloat32):
    """Each row of z becomes r numbers, and what a linear map makes of them at full width: of rank r."""

    down: Tensor
    """To coordinates z · down + inside, (m, d)."""
    inside: Tensor
    """(m,)."""
    linear: Tensor
    """Of the coordinates, (r, m)."""
    hidden: Tensor
    """Of the residual network's hidden layer, (h, m)."""
    offset: Tensor
    """(h,)."""
    outer: Tensor
    """From the hidden layer, (r, h)."""
    up: Tensor
    """Back to full width, (d, r)."""
    outside: Tensor
    """(d,)."""

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        require_shapes(PARTS, parts)
        for name in PARTS:
            self.register_buffer(name, parts[name])

    def forward(self, z: Tensor) -> Tensor:
        """Map each row, (n, d) or (n, d, 1, …)."""
        with torch.autocast(z.device.type, enabled=False):
            mapped = functional.linear(self.narrow(vectors(z, self.down.shape[1]).float()), self.up, self.outside)
        return mapped.to(z.dtype).reshape(z.shape)

    def narrow(self, flat: Tensor) -> Tensor:
        """Return the r numbers of each vector, (n, d) float32: (n, r)."""
        c = functional.linear(flat, self.down, self.inside)
        inner = functional.silu(functional.linear(c, self.hidden, self.offset))
        return functional.linear(c, self.linear) + functional.linear(inner, self.outer)


PARTS = {
    "down": "m d", "inside": "m", "linear": "r m", "hidden": "h m", "offset": "h", "outer": "r h", "up": "d r",
    "outside": "d",
}  # fmt: skip
"""The tensors, and their axes."""

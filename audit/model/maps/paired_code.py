"""A finite code whose words two or more codes share, so that no word tells which of them a row had.

A row has a code, the nearest of its class; the code says one of a few words, by a die that is a fixed function of the
row: it falls alike however often a row is released, so that nothing is averaged away. The die is a keyed hash of a few
projections of z, rounded to steps that are far wider than what computing them elsewhere changes.
"""

import torch
from torch import Tensor, nn

from audit.errors import BottleneckError
from audit.model.maps.affine_and_code import vectors
from audit.model.maps.shapes import InFloat32, require_shapes

PRIME = 2**31 - 1
"""A Mersenne prime: a key times a rounded projection stays below 2⁶³, so that no device wraps around."""
FARTHEST = 2**20
"""Steps at which a rounded projection is cut off."""


class PairedCode(InFloat32):
    """Each row of z is replaced by a word of the code that is nearest to it, within its predicted class."""

    weight: Tensor
    """Of the classes' scores z · weight + bias, (k, d); one class with zeros where there is no task."""
    bias: Tensor
    """(k,)."""
    axes: Tensor
    """Coordinates in which codes are near: z · axes + shift, (m, d)."""
    shift: Tensor
    """(m,)."""
    centres: Tensor
    """Of the codes, (K, m)."""
    owner: Tensor
    """Class of each code, (K,) int64."""
    upto: Tensor
    """Cumulative share of each word of a code, (K, P), ascending to 1."""
    says: Tensor
    """Which words they are, (K, P) int64."""
    words: Tensor
    """(W, d)."""
    faces: Tensor
    """Projections that the die is thrown by, in steps, (s, d)."""
    key: Tensor
    """Of the hash, a universal one: an offset and a factor for each projection, (s + 1,) int64 below PRIME."""

    def __init__(self, **parts: Tensor) -> None:
        super().__init__()
        require_shapes(PARTS, parts, whole=("owner", "says", "key"))
        if len(parts["key"]) != len(parts["faces"]) + 1:
            raise BottleneckError(f"key is {tuple(parts['key'].shape)}, and has to be one more than the rows of faces")
        for name, most in (("owner", len(parts["weight"])), ("says", len(parts["words"]))):
            if not bool(((parts[name] >= 0) & (parts[name] < most)).all()):
                raise BottleneckError(f"{name} names what is not there: it has to be from 0 to {most - 1}")
        for name in PARTS:
            self.register_buffer(name, parts[name])

    def forward(self, z: Tensor) -> Tensor:
        """Replace each row, (n, d) or (n, d, 1, …), by its word."""
        with torch.autocast(z.device.type, enabled=False):  # in halves another word would be nearest
            flat = vectors(z, self.weight.shape[1]).float()
            words = self.words[self.said(self.code(flat), self.die(flat))]
        return words.to(z.dtype).reshape(z.shape)

    def code(self, flat: Tensor) -> Tensor:
        """Return the code of each vector, (n, d) float32: (n,) int64."""
        label = nn.functional.linear(flat, self.weight, self.bias).argmax(dim=1)
        c = nn.functional.linear(flat, self.axes, self.shift)
        far = self.centres.square().sum(dim=1) - 2 * c @ self.centres.T  # (n, K), less the length of c
        return far.masked_fill(self.owner != label[:, None], torch.inf).argmin(dim=1)

    def said(self, code: Tensor, die: Tensor) -> Tensor:
        """Return which word a code says where the die falls so, (n,) each: (n,) int64."""
        place = (die[:, None] > self.upto[code]).sum(dim=1).clamp_max(self.says.shape[1] - 1)
        return self.says[code, place]

    def die(self, flat: Tensor) -> Tensor:
        """Return a number in [0, 1) for each vector, that nothing but the key and the vector decides."""
        return self.thrown(self.steps(flat))

    def steps(self, flat: Tensor) -> Tensor:
        """Return the rounded projections of each vector, (n, s) int64."""
        return torch.round(nn.functional.linear(flat, self.faces)).clamp(-FARTHEST, FARTHEST).to(torch.int64)

    def thrown(self, steps: Tensor) -> Tensor:
        """Return their keyed hash, (n,), in [0, 1)."""
        thrown = ((steps * self.key[1:]).remainder(PRIME).sum(dim=1) + self.key[0]).remainder(PRIME)
        return (thrown.double() / PRIME).float()


PARTS = {
    "weight": "k d", "bias": "k", "axes": "m d", "shift": "m", "centres": "K m", "owner": "K", "upto": "K P",
    "says": "K P", "words": "W d", "faces": "s d", "key": "s+1",
}  # fmt: skip
"""The tensors, and their axes."""

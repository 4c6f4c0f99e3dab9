"""Wide representations and inputs made narrow enough to attack: by averaging images, or by a random projection."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.random_projection import SparseRandomProjection
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from audit.data.model_input import ModelInput, flat, parts
from audit.data.on_disk import Floats

WIDEST = 2048
"""Representations wider than this are projected at random, or attackers would take hours."""
PROJECTED = 1024
"""Width of the projection: distances survive it to within a few percent (Johnson and Lindenstrauss)."""
RAW_SIDE = 12
"""Images are averaged to at most this many pixels a side for the attackers on the raw input."""
RAW = ""
"""The raw input's name among the layers."""


@dataclass(frozen=True)
class Projections:
    """One random projection for each layer that is too wide, made when its first rows come."""

    seed: int = 0
    by_layer: dict[str, SparseRandomProjection] = field(default_factory=dict)

    def narrow(self, layer: str, z: Tensor) -> Floats:
        """Return the rows of one layer, (b, d), with at most WIDEST numbers each."""
        found: Floats = z.float().cpu().numpy()
        if found.shape[1] <= WIDEST:
            return found
        if layer not in self.by_layer:
            self.by_layer[layer] = SparseRandomProjection(PROJECTED, random_state=self.seed).fit(found[:1])
        known = np.isfinite(found).all(axis=1, keepdims=True)  # a projection refuses what the caller is to tell
        narrow = np.asarray(self.by_layer[layer].transform(np.where(known, found, 0)), dtype=np.float32)
        return np.where(known, narrow, np.float32(np.nan))

    def narrow_inputs(self, x: ModelInput) -> Floats:
        """Return inputs (b, …) as rows: small images by averaging, all else as it is or projected."""
        if isinstance(x, Tensor) and x.ndim == 4:
            x = adaptive_avg_pool2d(x.float(), (min(RAW_SIDE, x.shape[2]), min(RAW_SIDE, x.shape[3])))
        return self.narrow(RAW, flat(x))


def describe_inputs(x: ModelInput) -> str:
    """Return in words what `Projections.narrow_inputs` makes of inputs like these, (b, …)."""
    if not isinstance(x, Tensor):
        width = flat(x).shape[1]
        described = f"the inputs {', '.join(parts(x))}"
        return described if width <= WIDEST else f"{described}, projected to {PROJECTED} numbers"
    shape, described = [*x.shape[1:]], "the input"
    if x.ndim == 4:
        small = [shape[0], min(RAW_SIDE, shape[1]), min(RAW_SIDE, shape[2])]
        if small != shape:
            described = f"the input, averaged to {' × '.join(map(str, small))}"
        shape = small
    return described if int(np.prod(shape)) <= WIDEST else f"{described}, projected to {PROJECTED} numbers"

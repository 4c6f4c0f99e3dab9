"""Whether what pandas holds is of the same rows: everything goes by position, and an index may say otherwise."""

from collections.abc import Mapping

import pandas as pd

from audit.errors import DataError


def index_of(held: object) -> pd.Index | None:
    """Return the index of a frame or a Series; None of anything else."""
    return held.index if isinstance(held, pd.DataFrame | pd.Series) else None


def one_index(held: Mapping[str, pd.Index | None]) -> pd.Index | None:
    """Return the index of what is to stand beside each other; None where nothing has one.

    A count from 0 in the place of another index may be that of a frame that was never shuffled, or of one whose index
    was reset: whether rows belong together by index or by position cannot be known, and is asked.

    Args:
        held: Indexes, by what a message calls that which has them.

    Raises DataError if two are of as many rows and differ.
    """
    indexes = {what: index for what, index in held.items() if index is not None}
    if not indexes:
        return None
    first, base = next(iter(indexes.items()))
    for what, index in indexes.items():
        if len(index) == len(base) and not index.equals(base):
            order = "the same rows in another order" if _same(index, base) else "other rows"
            raise DataError(
                f"By their index, {first} and {what} are of {order}, and irene goes by position. Take one by the index "
                "of the other, as labels.loc[inputs.index] does, or, if they stand side by side, give both without "
                "one: .to_numpy()."
            )
    return base


def _same(one: pd.Index, other: pd.Index) -> bool:
    return one.is_unique and other.is_unique and bool(one.isin(other).all())

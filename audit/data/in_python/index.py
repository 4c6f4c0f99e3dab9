"""Whether what pandas holds is of the same rows: everything goes by position, and an index may say otherwise."""

from collections.abc import Mapping

import pandas as pd

from audit.errors import DataError

Indexed = pd.DataFrame | pd.Series


def one_index(held: Mapping[str, object]) -> pd.Index | None:
    """Return the index of frames and Series that are to stand beside each other; None where none of them is one.

    A count from 0 in the place of another index may be that of a frame that was never shuffled, or of one whose index
    was reset: whether rows belong together by index or by position cannot be known, and is asked.

    Args:
        held: What is to stand beside each other, by what a message calls it; what has no index is passed by.

    Raises DataError if two have as many rows and another index.
    """
    indexed = {what: one for what, one in held.items() if isinstance(one, Indexed)}
    if not indexed:
        return None
    first, base = next(iter(indexed.items()))
    for what, one in indexed.items():
        if len(one) == len(base) and not one.index.equals(base.index):
            order = "the same rows in another order" if _same(one.index, base.index) else "other rows"
            raise DataError(
                f"By their index, {first} and {what} are of {order}, and irene goes by position. Take one by the index "
                "of the other, as labels.loc[inputs.index] does, or, if they stand side by side, give both without "
                "one: .to_numpy()."
            )
    return base.index


def _same(one: pd.Index, other: pd.Index) -> bool:
    return one.is_unique and other.is_unique and bool(one.isin(other).all())

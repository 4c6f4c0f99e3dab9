"""Leave rows of large classes out with a few rare ones, so that nobody can tell from the totals how few these are."""

from dataclasses import replace

import numpy as np

from audit.data.columns import MISSING, Column
from audit.errors import DataError
from audit.evidence.json_file import SMALL
from audit.protocol.splits import CommonClasses, Splits
from audit.settings import Settings


def hide_small_cells(attribute: str, common: CommonClasses, splits: Splits, settings: Settings) -> CommonClasses:
    """Leave so many training rows out that, with each class of fewer than SMALL rows, SMALL rows are gone.

    All rows less those of the audited classes is then the same number whatever the counts that are withheld. The rows
    are drawn from the classes that have the most. Raises DataError if too few can be spared.
    """
    small = [count for count in common.left_out.values() if count < SMALL]
    column, draw = common.column, np.random.default_rng(settings.seed)
    own = splits.train[column.known[splits.train]]
    counts = np.bincount(column.codes[own], minlength=len(column.classes))
    spared = np.zeros_like(counts)
    for _ in range(SMALL * len(small) - sum(small)):
        largest = (counts - spared).argmax()
        if counts[largest] - spared[largest] <= settings.min_class:
            raise DataError(
                f"{attribute!r} has {len(small)} {'class' if len(small) == 1 else 'classes'} of fewer than {SMALL} "
                "rows, and too few rows of others to leave out with them so that nobody can tell how few they are. "
                "Merge them (--merge-rare NAME), take their rows out, or give more rows."
            )
        spared[largest] += 1
    codes = column.codes.copy()
    for code in np.flatnonzero(spared):
        codes[draw.choice(own[column.codes[own] == code], spared[code], replace=False)] = MISSING
    return replace(common, column=Column(codes, column.classes, remarks=column.remarks))

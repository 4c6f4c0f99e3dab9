"""Which rows of embeddings may fit a map, and which are left for attackers: never a row in both.

The column `split` says it, as in a table of rows, and people that it has in both are told. Without one, half of the
groups may fit: which ones follows from the groups and a seed alone, so that who holds the rows finds the same half
again, whatever else is asked of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from audit.data.columns import Column, Ints
from audit.data.labelled import LabelledData, Part, in_both_parts
from audit.errors import DataError

SPLIT = "split"
"""The column that says of each row, of a table or of embeddings, which part it is in."""
SPLITS = ("train", "validation", "val", "test", "audit")
"""Its values: rows of `train` may shape a model or fit a map, all others are for attackers alone."""


@dataclass(frozen=True)
class PartRule:
    """How the rows were parted."""

    by: str
    """`split`, the column, or `half`, of the groups."""
    seed: int
    group: str | None
    """What was not split."""

    @staticmethod
    def recorded(settings: Mapping[str, object]) -> "PartRule | None":
        """Return the rule in a sanitizer's record; None where it fitted no map to vectors."""
        by, seed, group = (settings.get(f"data.{name}") for name in ("part_by", "part_seed", "part_group"))
        if not isinstance(by, str) or not isinstance(seed, int) or seed < 0:
            return None
        return PartRule(by, seed, None if group is None else str(group))

    @property
    def options(self) -> dict[str, str | int | None]:
        """What a record says of it, under `data`."""
        return {"part_by": self.by, "part_seed": self.seed, "part_group": self.group}

    @staticmethod
    def of(data: LabelledData, seed: int) -> "PartRule":
        """Return the rule for these rows."""
        group = data.group_name or ("group" if data.group is not None else None)
        return PartRule(SPLIT if SPLIT in data.columns else "half", seed, group)

    def rows(self, data: LabelledData, part: Part) -> Ints:
        """Return the rows of a part, (m,), in order.

        Raises:
            DataError: The column is not there or says something else, groups are others, or no row is in the part.
        """
        own = PartRule.of(data, self.seed)
        if own != self:
            raise DataError(
                f"{data.name} was parted by {self.told}, and would now be by {own.told}. Give the same columns and the "
                "same --group, so that no row that fitted a map is audited."
            )
        rows = np.flatnonzero(self._may_fit(data) == (part == "train")).astype(np.int64)
        if not len(rows):
            raise DataError(f"No row of {data.name} is in the part {part!r} by {self.told}. Give more rows.")
        return rows

    def in_both_parts(self, data: LabelledData) -> tuple[str, ...]:
        """Return what to say of groups that have rows in both parts, as the column may have it."""
        if self.group is None or self.group not in data.columns:
            return ()
        column = data.columns[self.group]
        return in_both_parts(self.group, column.take(self.rows(data, "audit")), column.take(self.rows(data, "train")))

    @property
    def told(self) -> str:
        """The rule in words."""
        unit = f"groups of {self.group!r}" if self.group else "rows"
        return f"the column {SPLIT!r}" if self.by == SPLIT else f"half of the {unit}, drawn by seed {self.seed}"

    def _may_fit(self, data: LabelledData) -> NDArray[np.bool_]:
        if self.by == SPLIT:
            return _is_train(data)
        groups = data.groups()
        order = np.random.default_rng(self.seed).permutation(int(groups.max()) + 1)
        is_half: NDArray[np.bool_] = order[groups] < len(order) // 2
        return is_half


def _is_train(data: LabelledData) -> NDArray[np.bool_]:
    column = data.columns[SPLIT]
    words = [one.lower() for one in column.classes] if isinstance(column, Column) else []
    if not isinstance(column, Column) or not column.known.all() or (odd := sorted({*words} - {*SPLITS})):
        fact = f"says {odd[0]!r}" if isinstance(column, Column) and column.known.all() else "lacks a word for some rows"
        raise DataError(f"The column {SPLIT!r} of {data.name} {fact}. Say one of {', '.join(SPLITS)} for each row.")
    is_train: NDArray[np.bool_] = np.array([one == "train" for one in words])[column.codes]
    return is_train

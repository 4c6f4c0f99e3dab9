"""A table as a value: what stands in each cell and how it is set."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from audit.evidence.numbers import Figure

LONG = 20
"""A table of more rows is cut between them where a sheet of paper ends."""
Kind = Literal["text", "number", "code", "missing", "alarm"]


@dataclass(frozen=True)
class Cell:
    """One cell: what it says, smaller lines below it, and a mark."""

    text: str
    notes: tuple[str, ...]
    tag: str
    """A word that marks the cell out, such as `strongest`; empty for none."""
    kind: Kind
    span: int
    """How many columns it fills."""
    verdict: str = ""
    """Sets the mark of a verdict before the text: `FAIL`, `PASS` or `INCONCLUSIVE`."""


@dataclass(frozen=True)
class Table:
    """A captioned table; the first cell of a row is its header."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    groups: tuple[tuple[str, int], ...] = ()
    """Names and widths of column groups after the first column; empty for none."""
    kind: Literal["figures", "facts", "list"] = "figures"
    """`facts` sets a fact of each audit side by side; `list` has one value for each, and needs no header."""

    @property
    def is_long(self) -> bool:
        """Whether it may not fit on one sheet of paper."""
        return len(self.rows) > LONG

    @property
    def labelled(self) -> tuple[tuple[tuple[str, Cell], ...], ...]:
        """The rows, each cell with its column's full name, for screens too narrow for columns."""
        return tuple(tuple(self._labels(row)) for row in self.rows)

    def _labels(self, row: tuple[Cell, ...]) -> Iterator[tuple[str, Cell]]:
        groups = ["", *(name for name, width in self.groups for _ in range(width))]
        column = 0
        for one in row:
            group = groups[column] if self.groups else ""
            name = "" if one.span > 1 else self.columns[column]
            yield ": ".join(part for part in (group, name) if part), one
            column += one.span


def cell(text: str, *notes: str, tag: str = "", kind: Kind = "text", span: int = 1, verdict: str = "") -> Cell:
    """Return a cell of plain text with smaller lines below it."""
    return Cell(text, notes, tag, kind, span, verdict)


def figure_cell(figure: Figure, *notes: str, tag: str = "") -> Cell:
    """Return a cell with a figure and its interval below it."""
    return Cell(figure.value, (figure.interval, *notes), tag, "number", 1)

"""A table as a value: the content of each cell and how it is set.

A table of figures may have thousands of cells. Such a one has bodies of rows whose cells are words without markup: how
a cell is set, and what its column is called on a screen too narrow for columns, follows from its place, by rules that
the page has once for each kind of table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from audit.evidence.numbers import Figure

LONG = 20
"""A table of more rows is cut between them where a sheet of paper ends."""
NOTHING = "–"
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
class Row:
    """One row of a body: its header and its cells."""

    head: str
    cells: tuple[str, ...]
    """Of `over` where it is a figure: a style sheet sets each word on a line of its own."""
    tag: str = ""
    """What marks the row out, such as `strongest`."""
    note: str = ""
    """Fills the row in the place of further cells: why there are none."""


@dataclass(frozen=True)
class Body:
    """Rows that belong together, such as those of one layer."""

    name: str
    """Empty where the table has one body and needs no name for it."""
    rows: tuple[Row, ...]
    note: str = ""
    """What holds for all of them."""


@dataclass(frozen=True)
class Table:
    """A captioned table; the first cell of a row is its header."""

    caption: str
    columns: tuple[str, ...]
    """The first is that of the headers."""
    rows: tuple[tuple[Cell, ...], ...] = ()
    groups: tuple[tuple[str, int], ...] = ()
    """Names and widths of groups of the columns after the lead; empty for none."""
    kind: str = "figures"
    """`facts` sets a fact of each audit side by side; `list` has one value for each, and needs no header. Tables with
    bodies are of one kind if they have the same columns and groups."""
    bodies: tuple[Body, ...] = ()
    """In the place of rows."""
    lead: int = 0
    """Columns of words after the first, before all groups."""
    note: str = ""
    """What all of its figures are read against."""

    @property
    def is_dense(self) -> bool:
        """Whether its cells have no markup of their own."""
        return bool(self.bodies)

    @property
    def is_long(self) -> bool:
        """Whether it may not fit on one sheet of paper."""
        return len(self.rows) + sum(1 + len(body.rows) for body in self.bodies) > LONG

    @property
    def names(self) -> tuple[tuple[str, int], ...]:
        """The full name of each column after the first, and the place of its group from 1; 0 is of none."""
        groups = [("", 0)] * self.lead
        groups += [(f"{name}: ", place) for place, (name, width) in enumerate(self.groups, 1) for _ in range(width)]
        groups += [("", 0)] * (len(self.columns) - 1 - len(groups))
        return tuple((group + name, place) for (group, place), name in zip(groups, self.columns[1:], strict=True))

    @property
    def labelled(self) -> tuple[tuple[tuple[str, Cell], ...], ...]:
        """The rows, each cell with its column's full name, for screens too narrow for columns."""
        return tuple(tuple(self._labels(row)) for row in self.rows)

    def _labels(self, row: tuple[Cell, ...]) -> Iterator[tuple[str, Cell]]:
        names, column = [self.columns[0], *(name for name, _ in self.names)], 0
        for one in row:
            yield "" if one.span > 1 else names[column], one
            column += one.span


def cell(text: str, *notes: str, tag: str = "", kind: Kind = "text", span: int = 1, verdict: str = "") -> Cell:
    """Return a cell of plain text with smaller lines below it."""
    return Cell(text, notes, tag, kind, span, verdict)


def missing(text: str = NOTHING) -> Cell:
    """Return a cell that has no figure."""
    return cell(text, kind="missing")


def figure_cell(figure: Figure, *notes: str, tag: str = "") -> Cell:
    """Return a cell with a figure and its interval below it."""
    return Cell(figure.value, (figure.interval, *notes), tag, "number", 1)


def over(figure: Figure) -> str:
    """Return a figure and its interval as two words: the one is set over the other."""
    interval = figure.interval.replace(" ", "\N{NARROW NO-BREAK SPACE}")  # no space, where a template ends a line
    return f"{figure.value} {interval}" if interval else figure.value


def rules(tables: Iterable[Table]) -> Markup:
    """Return the rules that give columns their room, and that name every cell on a narrow screen, which has no columns.

    Column names are the page's own words; no text of the evidence gets into a style sheet.
    """
    wide: dict[str, str] = {}
    narrow: dict[str, str] = {}
    for kind, some in _by_kind(tables).items():
        one = some[0]
        for place, (name, group) in enumerate(one.names, 2):
            cell = f".{kind} td:nth-child({place})"
            narrow[f"{cell}::before"] = f"content:{quoted(name)}"
            if place - 2 < one.lead:
                wide[cell] = "white-space:normal;overflow-wrap:anywhere;min-width:calc(12ch + 0.5rem)"
                wide[f"{cell}::first-line"] = "font-size:inherit;font-weight:400"
                narrow[cell] = "grid-column:1/-1"
            elif longest := max(_intervals(some, place - 2), default=0):
                wide[cell] = f"min-width:calc({longest - 1}ch + 0.75rem)"  # else it could be cut at its dash
            if group and len(one.groups) == 2:
                narrow[cell] = f"grid-column:{group}"
    if not narrow:
        return Markup()
    return Markup(f"{_written(wide)}@media screen and (max-width:44rem){{{_written(narrow)}}}")


def _by_kind(tables: Iterable[Table]) -> dict[str, list[Table]]:
    found: dict[str, list[Table]] = {}
    for one in tables:
        if one.is_dense:
            found.setdefault(one.kind, []).append(one)
    return found


def _intervals(tables: Iterable[Table], column: int) -> Iterator[int]:
    """Yield how long the intervals in one column are, in characters."""
    rows = (row for one in tables for body in one.bodies for row in body.rows if not row.note)
    return (len(interval) for row in rows if (interval := row.cells[column].partition(" ")[2]))


def _written(found: dict[str, str]) -> str:
    return "".join(f"{selector}{{{declared}}}" for selector, declared in found.items())


def quoted(text: str) -> str:
    """Return a string of CSS in which no character means anything but itself."""
    plain = "".join(
        mark if mark == " " or (mark.isascii() and mark.isalnum()) else f"\\{ord(mark):x} " for mark in text
    )
    return f'"{plain}"'

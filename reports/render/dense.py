"""A large table as a value: plain cells, a figure over its interval, so that thousands of rows stay a small file.

A cell has no markup of its own. How it is set, and what its column is called on a screen too narrow for columns,
follows from its place, by rules that the page has once for each kind of table.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence.numbers import Figure
from reports.render.print_css import quoted
from reports.render.table import LONG

NOTHING = "–"


@dataclass(frozen=True)
class DenseRow:
    """One row: its header and its cells."""

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
    rows: tuple[DenseRow, ...]
    note: str = ""
    """What holds for all of them."""


@dataclass(frozen=True)
class Dense:
    """A captioned table of many rows."""

    kind: str
    """Tables of one kind have the same columns and groups."""
    caption: str
    columns: tuple[str, ...]
    """The first is that of the headers."""
    bodies: tuple[Body, ...]
    lead: int = 0
    """Columns of words after the first, before all groups."""
    groups: tuple[tuple[str, int], ...] = ()
    """Names and widths of the groups of the columns after the lead; empty for none."""
    note: str = ""
    """What all of its figures are read against."""

    @property
    def is_long(self) -> bool:
        """Whether it may not fit on one sheet of paper."""
        return sum(1 + len(body.rows) for body in self.bodies) > LONG

    @property
    def names(self) -> tuple[tuple[str, int], ...]:
        """The full name of each column after the first, and the place of its group from 1; 0 is of none."""
        groups = [("", 0)] * self.lead
        groups += [(f"{name}: ", place) for place, (name, width) in enumerate(self.groups, 1) for _ in range(width)]
        groups += [("", 0)] * (len(self.columns) - 1 - len(groups))
        return tuple((group + name, place) for (group, place), name in zip(groups, self.columns[1:], strict=True))


def over(figure: Figure) -> str:
    """Return a figure and its interval as two words: the one is set over the other."""
    interval = figure.interval.replace(" ", "\N{NARROW NO-BREAK SPACE}")  # no space to CSS's word-spacing
    return f"{figure.value} {interval}" if interval else figure.value


def rules(tables: Iterable[Dense]) -> Markup:
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
                wide[cell] = "word-spacing:normal;overflow-wrap:anywhere;min-width:calc(12ch + 0.5rem)"
                wide[f"{cell}::first-line"] = "font-size:inherit;font-weight:400"
                narrow[cell] = "grid-column:1/-1"
            elif longest := max(_intervals(some, place - 2), default=0):
                wide[cell] = f"min-width:calc({longest - 1}ch + 0.75rem)"  # else it could be cut at its dash
            if group and len(one.groups) == 2:
                narrow[cell] = f"grid-column:{group}"
    return Markup(f"{_written(wide)}@media screen and (max-width:44rem){{{_written(narrow)}}}")


def _by_kind(tables: Iterable[Dense]) -> dict[str, list[Dense]]:
    found: dict[str, list[Dense]] = {}
    for one in tables:
        found.setdefault(one.kind, []).append(one)
    return found


def _intervals(tables: Iterable[Dense], column: int) -> Iterator[int]:
    """Yield how long the intervals in one column are, in characters."""
    rows = (row for one in tables for body in one.bodies for row in body.rows if not row.note)
    return (len(interval) for row in rows if (interval := row.cells[column].partition(" ")[2]))


def _written(found: dict[str, str]) -> str:
    return "".join(f"{selector}{{{declared}}}" for selector, declared in found.items())

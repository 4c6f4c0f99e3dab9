"""A page as an ordered tuple of sections: each is one module, and one template of the same name.

To add a section, write both and add a line to the page's tuple: contents, numbering and rules of CSS follow from it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Generic, TypeVar

from markupsafe import Markup

from audit.evidence.numbers import one_line
from reports.render.table import Table, quoted, rules
from reports.render.template import fill

Source = TypeVar("Source")


@dataclass(frozen=True)
class Section(Generic[Source]):
    """One part of a page."""

    name: str
    """Of its module and of its template."""
    title: str
    """In the contents of the page."""
    view: Callable[[Source], object | None]
    """Prepares what the template shows, every word of it chosen; None leaves the section out."""
    heading: str = ""
    """Over the section; the title where empty."""
    anchor: str = ""
    """Of a link to the section; the name where empty."""
    is_folded: bool = False
    """Whether it is opened by who wants it, and not printed."""
    template: str = ""
    """One that is not its own: of the tables of its view, one after the other."""


@dataclass(frozen=True)
class Mentions:
    """What a page tells of because its evidence has it; limits and words are explained for nothing else."""

    has_bounds: bool
    """Bounds on every attacker."""
    has_numbers: bool = False
    """An attribute that is a number, such as an age."""
    has_retained: bool = False


@dataclass(frozen=True)
class Told:
    """Sentences, and the tables that they introduce."""

    sentences: tuple[str, ...]
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class FilledSection:
    """A section of one page, with what it shows."""

    template: str
    anchor: str
    title: str
    heading: str
    view: object
    is_folded: bool = False


@dataclass(frozen=True)
class Page:
    """A whole page: its head, and its sections in order."""

    title: str
    """In the browser's bar."""
    eyebrow: str
    """What kind of page it is."""
    heading: str
    subject: str
    """What it is about, in a sentence or two."""
    sections: tuple[FilledSection, ...]
    rules: Markup
    """CSS that only this page has."""

    @property
    def style(self) -> Markup:
        """The rules of the page, and those that name the cells of its large tables."""
        return rules(_tables(self.sections)) + self.rules


def folded(section: Section[Source]) -> Section[Source]:
    """Return a section that is opened by who wants it."""
    return replace(section, is_folded=True)


def filled(folder: str, sections: Sequence[Section[Source]], source: Source) -> tuple[FilledSection, ...]:
    """Return the sections that have something to show.

    Args:
        folder: Of their templates.
        sections: In the order of the page.
        source: What all of them are made of.
    """
    views = ((one, one.view(source)) for one in sections)
    found = []
    for one, view in views:
        if view is not None:
            place, anchor = one.template or f"{folder}/{one.name}.html.j2", one.anchor or one.name
            heading = one.heading or one.title
            found.append(FilledSection(place, anchor, one.title, heading, view, one.is_folded))
    return tuple(found)


def fill_page(page: Page, *styles: str) -> str:
    """Return a page as one HTML file; `styles` are the names of CSS files, in their order."""
    return fill("page.html.j2", *styles, page=page)


def running_head(name: str, date: str) -> Markup:
    """Return the rules that set file and date above, and the number below, each printed sheet.

    Args:
        name: What the page is about; any text, set as text.
        date: When it was audited.
    """
    top = f"@top-left{{content:{quoted(one_line(name))}}}@top-right{{content:{quoted(f'Privacy audit, {date}')}}}"
    return Markup(f"@media print{{@page{{{top}}}}}")


def _tables(value: object) -> Iterator[Table]:
    """Yield every table inside a view."""
    if isinstance(value, Table):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _tables(one)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _tables(getattr(value, field.name))

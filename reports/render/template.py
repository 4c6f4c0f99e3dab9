"""Fill a template: every value comes out as text, and the styles stand inside the page."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from audit.atomic_write import refuse_unless, write_whole
from audit.errors import visible
from audit.file_limits import MOST_JSON, read_bounded

TEMPLATES = Path(__file__).parents[1] / "templates"
MARK = b'<a class="skip" href="#main">Skip to the content</a>\n<header>\n<p class="eyebrow">'
"""Stands in every page."""


def fill(template: str, *styles: str, **shown: object) -> str:
    """Return a page, or a part of one.

    Args:
        template: Its file's name.
        styles: Of CSS files, in their order.
        shown: What the template shows, every word of it chosen.
    """
    style = Markup("\n").join(Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in styles)
    return environment(_as_words).get_template(template).render(**shown, style=style)


def write_page(path: Path, content: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        IreneError: The file cannot be written, or is there already and no page of irene's.
    """
    refuse_unless(is_own, path)
    write_whole(path, content.encode())


def is_own(path: Path) -> bool:
    """Return whether a file is a page that a template was filled to."""
    try:
        return MARK in read_bounded(path, MOST_JSON)
    except OSError:
        return False


@cache
def environment(finalize: Callable[[object], object]) -> Environment:
    """Return what fills templates; every value goes through `finalize`, and comes out as text."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,  # what is Markup stands as it is
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=finalize,
    )
    found.filters["in_lines"] = _in_lines
    return found


def _as_words(value: object) -> object:
    """Show what cannot be seen, and keep a percent sign on the line of its number."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", visible(value))


def _in_lines(words: str) -> Markup:
    """Return words one below the other, where the style sheet keeps ends of lines."""
    return Markup("\n").join(escape(word) for word in str(_as_words(words)).split(" "))

"""Fill a template: every value comes out as text, and the styles stand inside the page."""

import re
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from audit.atomic_write import write_whole

TEMPLATES = Path(__file__).parents[1] / "templates"


def fill(template: str, *styles: str, page: object) -> str:
    """Return a page.

    Args:
        template: Its file's name.
        styles: Of CSS files, in their order.
        page: What the template shows, every word of it chosen.
    """
    style = Markup("\n").join(Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in styles)
    return _environment().get_template(template).render(page=page, style=style)


def write_page(path: Path, content: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        IreneError: The file cannot be written.
    """
    write_whole(path, content.encode("utf-8", errors="replace"))  # a lone surrogate in a name


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_unit,
    )


def _keep_unit(value: object) -> object:
    """Keep a percent sign on the line of its number."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", value)

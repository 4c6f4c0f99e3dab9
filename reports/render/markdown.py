"""Text inside Markdown: whatever it holds, it is read as the words that it is.

Made for GitHub's dialect, where more than the syntax has to be kept out: what stands in a pull request also calls
people (@name), points to issues (#1) and turns addresses into links, after the Markdown was read. A word joiner,
which has no width, parts those.
"""

import re

from markupsafe import Markup

from audit.errors import visible
from reports.render.template import environment

JOINER = "\u2060"
_ESCAPED = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~$#"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
"""What opens something anywhere in a line."""
_OPENING = re.compile(r"^(?:[+=-]|\d{1,9}[.)](?=\s|$))")
"""What opens something at the start of a line."""
_CALLS = re.compile(
    r"(?<=@)(?=\w)|(?<=#)(?=\d)|(?<=\bGH)(?=-\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=:)(?<!\d:)(?=[\w+-]+:)",
    re.IGNORECASE,
)
"""Where people, issues, addresses and emoji are parted."""


def text(value: str) -> str:
    """Return a value as Markdown that shows it as one line of text, in a paragraph, a list or a cell of a table."""
    line = " ".join(visible(value).split())
    return _OPENING.sub(_escape_last, _CALLS.sub(JOINER, line).translate(_ESCAPED))


def fill(template: str, *, page: object) -> str:
    """Return a template of Markdown filled in; every value goes through `text`."""
    return environment(_as_text).get_template(template).render(page=page)


def _as_text(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(text(str(value)))


def _escape_last(opening: re.Match[str]) -> str:
    found = opening.group()
    return f"{found[:-1]}\\{found[-1]}"

"""CSS of one page for print: its name and date at the head of every sheet of paper."""

from markupsafe import Markup

from audit.evidence.numbers import one_line


def running_head(name: str, date: str) -> Markup:
    """Return the rules that set file and date above, and the number below, each printed sheet.

    Args:
        name: What the page is about; any text, set as text.
        date: When it was audited.
    """
    top = f"@top-left{{content:{quoted(one_line(name))}}}@top-right{{content:{quoted(f'Privacy audit, {date}')}}}"
    return Markup(f"@media print{{@page{{{top}}}}}")


def quoted(text: str) -> str:
    """Return a string of CSS in which no character means anything but itself."""
    plain = "".join(
        mark if mark == " " or (mark.isascii() and mark.isalnum()) else f"\\{ord(mark):x} " for mark in text
    )
    return f'"{plain}"'

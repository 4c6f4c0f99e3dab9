"""A term → its new name, and notes that are new; texts may change by these alone."""

import re
from collections.abc import Mapping
from typing import Any

TERMS: list[tuple[str, str]] = [
    (" kept at AUROC ", " retained at AUROC "),
    (", and a committee of them", ", and an ensemble of them"),
]
NOTES = ("maps.1: channels first, by Conv2d; mean over 9 positions",)
"""Notes of today's audits that the stored ones do not have, each in a line of its own."""


def without_new_notes(text: str) -> str:
    """Return a text of today without the notes that are new."""
    lines = "|".join(map(re.escape, NOTES))
    before = r'(?:^|(?<=<system-err>))(?:Note: |- |\s*")?'
    return re.sub(rf'{before}(?:{lines})(?:\.|",?)?\n', "", text, flags=re.MULTILINE)


def before_notes(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence of today without the notes that are new."""
    known = {"warnings": [one for one in evidence["warnings"] if one not in NOTES]} if "warnings" in evidence else {}
    return {**evidence, **known}


def renamed(text: str) -> str:
    """Return a stored text in today's terms."""
    for old, new in TERMS:
        text = text.replace(old, new)
    return text

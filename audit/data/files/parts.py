"""Which part the name of a file or a folder tells: train, or one that is for attackers."""

import re
from pathlib import Path

PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "val"),
    **dict.fromkeys(("test", "testing"), "test"),
    "audit": "audit",
}
"""Words in small letters, and the split that they mean."""


def part_of_name(path: Path) -> str | None:
    """Return the split that a path tells by a folder or by the first word of its name; None if it tells none."""
    words = [*path.parts[:-1], re.split(r"[^a-zA-Z]", path.name)[0]]
    return next((PARTS[word.lower()] for word in words if word.lower() in PARTS), None)

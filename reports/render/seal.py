"""Text with a digest of itself at its end, by which an edit is seen before it would be lost."""

import hashlib
from pathlib import Path

from audit.file_limits import read_bounded

SEAL = "<!-- As irene wrote it, SHA-256 "
MOST_BYTES = 2**24
"""Of an annex or a card."""


def sealed(told: str) -> str:
    """Return Markdown with its digest, in a comment that no reader shows."""
    return f"{told}\n{SEAL}{hashlib.sha256(told.encode()).hexdigest()} -->\n"


def is_untouched(path: Path) -> bool:
    """Return whether a file is as irene wrote it."""
    try:
        told, _, seal = read_bounded(path, MOST_BYTES).decode("utf-8", "replace").rpartition(f"\n{SEAL}")
    except OSError:
        return False
    return seal.strip() == f"{hashlib.sha256(told.encode()).hexdigest()} -->"

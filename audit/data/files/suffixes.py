"""What a file holds by the end of its name, before it is opened."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal

from audit.errors import DataError

Kind = Literal["image", "audio", "video"]
PLURAL: dict[Kind, str] = {"image": "images", "audio": "sounds", "video": "clips"}
"""What messages call them."""
SUFFIXES: dict[str, Kind] = {
    **dict.fromkeys(
        (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"), "image"
    ),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au"), "audio"),
    **dict.fromkeys((".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm"), "video"),
}


def suffix_kind(name: str) -> Kind | None:
    """Return what a file is by its name; None if that says nothing."""
    return SUFFIXES.get(PurePath(name.strip()).suffix.lower())


def kind_of(names: Sequence[str], source: str) -> Kind:
    """Return what files are; those whose names say nothing are images. Raises DataError if they are several."""
    kinds = {suffix_kind(name) or "image" for name in names}
    if len(kinds) > 1:
        found = " and ".join(word for kind, word in PLURAL.items() if kind in kinds)
        raise DataError(f"The rows of {source} are {found}. A model takes one of them: keep one kind.")
    return kinds.pop()


def named_in(cells: Sequence[str]) -> Kind | None:
    """Return what most of some cells name; None if they name no files."""
    kinds = [suffix_kind(one) for one in cells]
    return next((kind for kind in PLURAL if 2 * kinds.count(kind) > len(kinds)), None)

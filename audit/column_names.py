"""Column names as users give them: one, several with commas between them, or a list."""

from collections.abc import Sequence


def split_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """Split a text at its commas, or take a list as it is; a name counts once, and an empty one not at all."""
    parts = names.split(",") if isinstance(names, str) else names
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def several(names: str | Sequence[str]) -> list[str]:
    """Return one name or several as a list, each once; a name may hold a comma."""
    return [names] if isinstance(names, str) else list(dict.fromkeys(names))

"""Column names as users give them: one, several with commas between them, or a list."""

from collections.abc import Collection, Iterable, Sequence

from audit.errors import IreneError


def split_names(names: str | Sequence[str], what: str = "A name") -> tuple[str, ...]:
    """Split a text at its commas, or take a list as it is; a name counts once, and an empty one not at all.

    Raises an IreneError for what are no texts, by what they are.
    """
    parts = names.split(",") if isinstance(names, str) else several(names, what)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def several(names: str | Collection[str], what: str = "A name") -> list[str]:
    """Return one name or several as a list, each once; a name may hold a comma.

    Raises an IreneError for what are no texts, by what they are.
    """
    if isinstance(names, str):
        return [names]
    listed = [*names] if isinstance(names, Iterable) else [names]
    if not all(isinstance(one, str) for one in listed):
        raise IreneError(f"{what} is a text, and {names!r} was given. Give one, or a list of them.")
    return list(dict.fromkeys(listed))

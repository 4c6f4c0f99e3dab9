"""A term → its new name; texts may change by this map alone."""

TERMS: list[tuple[str, str]] = []


def renamed(text: str) -> str:
    """Return a stored text in today's terms."""
    for old, new in TERMS:
        text = text.replace(old, new)
    return text

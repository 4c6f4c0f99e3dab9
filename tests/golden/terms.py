"""A term → its new name; texts may change by this map alone."""

TERMS: list[tuple[str, str]] = [
    (" kept at AUROC ", " retained at AUROC "),
    (", and a committee of them", ", and an ensemble of them"),
]


def renamed(text: str) -> str:
    """Return a stored text in today's terms."""
    for old, new in TERMS:
        text = text.replace(old, new)
    return text

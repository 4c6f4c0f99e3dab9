"""Frameworks, each a file that maps evidence to provisions: read, checked and held against the evidence at hand.

`provisions.toml` comes with irene; a user's own files have the same format (docs/framework.md).
"""

import datetime
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit.errors import IreneError
from audit.evidence.numbers import plain
from audit.file_limits import read_toml
from reports.compliance.evidence_items import ITEMS, Evidence, Item, Present, items
from reports.inputs.comparison import Comparison

OWN = Path(__file__).parent / "provisions.toml"


class FrameworkError(IreneError):
    """A framework cannot be read."""


def _a_support(sentence: str) -> str:
    if not sentence.startswith("Supports ") or not sentence.endswith("."):
        raise ValueError("a sentence begins with 'Supports' and ends in a full stop")
    return sentence


Text = Annotated[str, Field(min_length=1)]
Sentence = Annotated[str, AfterValidator(_a_support)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Instrument(_Frozen):
    """A law, a framework or a standard."""

    short: Text
    """What it is called in conversation."""
    name: Text
    number: Text
    """The official number, with that of an amendment that was read."""
    binds: Text
    """Whom its provisions below bind."""
    status: Text
    """Since when they apply, or which edition was read."""


class Entry(_Frozen):
    """One provision: what it is about in our own words, and which evidence supports what."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    """Unique, and part of an anchor on the page."""
    instrument: str
    """A key of the file's instruments."""
    article: Text
    title: Text
    about: Text
    supports: Annotated[dict[Item, Sentence], Field(min_length=1)]
    """How each item of evidence supports it; the sentence holds for that item alone."""
    fields: Annotated[tuple[Text, ...], Field(min_length=1)]
    """What a person has to fill in."""
    unread: bool = False
    """Whether the text itself was not read for this, and title and scope alone are told."""


class Framework(_Frozen):
    """Provisions of one file, as their texts were read on one day."""

    date: datetime.date
    """When the texts were last read."""
    instruments: dict[str, Instrument]
    entries: Annotated[tuple[Entry, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_closed(self) -> Self:
        ids = [entry.id for entry in self.entries]
        if repeated := sorted({one for one in ids if ids.count(one) > 1}):
            raise ValueError(f"the id {repeated[0]!r} stands twice")
        if unknown := sorted({entry.instrument for entry in self.entries} - self.instruments.keys()):
            raise ValueError(f"no instrument {unknown[0]!r}; known: {', '.join(self.instruments)}")
        return self


@dataclass(frozen=True)
class Support:
    """One provision beside the evidence at hand."""

    entry: Entry
    present: tuple[tuple[Evidence, str], ...]
    """Items that are here, with what they say and the sentence that says what it supports."""
    absent: tuple[Evidence, ...]
    """Items that would support it and are not here, with their reasons."""


def load(path: Path) -> Framework:
    """Read a framework.

    Raises:
        FrameworkError: No such file, no TOML, an item of evidence that does not exist, or a field that is wrong.
    """
    try:
        return Framework.model_validate(read_toml(path))
    except OSError as error:
        raise FrameworkError(f"Cannot read {path}: {error.strerror}.") from None
    except ValidationError as error:
        raise FrameworkError(f"{path} is no framework: {_fault(error)}.") from None
    except ValueError as error:  # TOML or UTF-8
        raise FrameworkError(f"{path} is no framework: {error}.") from None


@cache
def own() -> Framework:
    """Return the framework that comes with irene."""
    return load(OWN)


def supported(comparison: Comparison, framework: Framework) -> tuple[Support, ...]:
    """Return every provision of a framework with what of its evidence is here, and what is not and why."""
    found = items(comparison)
    here = {item for item, one in found.items() if isinstance(one.told, Present)}
    return tuple(
        Support(
            entry,
            present=tuple((found[item], sentence) for item, sentence in entry.supports.items() if item in here),
            absent=tuple(found[item] for item in entry.supports if item not in here),
        )
        for entry in framework.entries
    )


def _fault(error: ValidationError) -> str:
    """Return the first fault of a file in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != "[key]")
    if first["type"] == "literal_error":
        return f"{place}: there is no such evidence; known: {', '.join(ITEMS)}"
    return plain(f"{place + ': ' if place else ''}{first['msg']}")

"""One part of an assessment: what the evidence says in it, and what it asks of people."""

from dataclasses import dataclass

from reports.compliance.evidence_items import Item
from reports.render.table import Table


@dataclass(frozen=True)
class Question:
    """What a person is asked."""

    key: str
    """In a file of answers."""
    label: str
    answer: str = ""
    """Empty where nobody answered."""


@dataclass(frozen=True)
class Form:
    """A table that a person fills in: a line for each of some names."""

    key: str
    caption: str
    columns: tuple[Question, ...]
    """The first is the names' own."""
    names: tuple[str, ...] = ()
    """Empty in the file where the lines are the private attributes."""
    answers: tuple[tuple[str, ...], ...] = ()
    """Of each name, in the order of `asked`; empty where there are none at all."""

    @property
    def asked(self) -> tuple[Question, ...]:
        """The columns that a person fills in."""
        return self.columns[1:]

    @property
    def filled(self) -> tuple[tuple[str, ...], ...]:
        """The answers of each name, empty where nobody answered."""
        return self.answers or tuple(("",) * len(self.asked) for _ in self.names)


@dataclass(frozen=True)
class Part:
    """One part of the assessment."""

    title: str
    provision: str = ""
    """Where the Regulation asks for it; empty where it does not."""
    follows: str = ""
    """Which parts of the templates for assessments it answers to, so that it can be filed under theirs."""
    text: tuple[str, ...] = ()
    """Paragraphs."""
    tables: tuple[Table, ...] = ()
    absent: tuple[Item, ...] = ()
    """Items of evidence whose absence is told among the points."""
    points_title: str = ""
    points: tuple[str, ...] = ()
    """A list of sentences, read after the tables."""
    forms: tuple[Form, ...] = ()
    fields: tuple[Question, ...] = ()

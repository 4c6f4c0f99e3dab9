"""The mapping as the page shows it: one table of the evidence at hand, then every provision with its empty fields."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from reports.compliance.evidence_items import Absent, Evidence, Present, items
from reports.compliance.mapping import Framework, Instrument, Support, own, supported
from reports.inputs.comparison import Comparison
from reports.render.facts import listed
from reports.render.section import Section
from reports.render.table import Cell, Table, cell, missing

LONG_AGO = datetime.timedelta(days=366)


@dataclass(frozen=True)
class InstrumentView:
    """One law, framework or standard with its provisions and the evidence for each."""

    instrument: Instrument
    status: str
    provisions: tuple[Support, ...]
    mark: str
    """Begins the anchors of the provisions: the number of a user's framework, so that no anchor stands twice."""


@dataclass(frozen=True)
class ComplianceView:
    """The whole section."""

    date: str
    """When the texts were last read, as ISO 8601."""
    stale: str
    """That they were read long before the audit, or empty."""
    evidence: Table
    instruments: tuple[InstrumentView, ...]


def section(frameworks: Sequence[Framework]) -> Section[Comparison]:
    """Return the section of the page for irene's own mapping and a user's frameworks."""
    return Section(
        "compliance", "Provisions", lambda comparison: compliance_view(comparison, frameworks),
        heading="Provisions that this supports", anchor="articles",
    )  # fmt: skip


def compliance_view(comparison: Comparison, frameworks: Sequence[Framework] = ()) -> ComplianceView:
    """Prepare the section that maps the evidence to provisions: irene's own first, and then a user's frameworks."""
    return ComplianceView(
        date=own().date.isoformat(),
        stale=stale(comparison),
        evidence=evidence_table(comparison),
        instruments=tuple(
            InstrumentView(
                instrument=one,
                status=_status(one, framework),
                provisions=tuple(each for each in supported(comparison, framework) if each.entry.instrument == key),
                mark=f"framework-{number}-" if number else "",
            )
            for number, framework in enumerate((own(), *frameworks))
            for key, one in framework.instruments.items()
        ),
    )


def stale(comparison: Comparison) -> str:
    """Return a warning where the texts were read so long before the audit that they may have changed; else nothing."""
    try:
        audited = datetime.date.fromisoformat(comparison.last.created[:10])
    except ValueError:  # a stranger's evidence may say anything
        return ""
    if audited - own().date <= LONG_AGO:
        return ""
    return "They were read more than 12 months before this audit: laws and standards may have changed since."


def evidence_table(comparison: Comparison) -> Table:
    """Return every item of the list with what it says here, or why it is absent."""
    told = [(one.name, _told(one.told)) for one in items(comparison).values()]
    return listed("What this evidence holds", told, ("Evidence", "What it says here"))


def mapping_table(comparison: Comparison, frameworks: Sequence[Framework] = ()) -> Table:
    """Return every provision with the evidence that is here and that is not, in one table without fields."""
    columns = ("Provision", "What it is about", "Supported by")
    rows = tuple(
        _row(support, framework) for framework in (own(), *frameworks) for support in supported(comparison, framework)
    )
    return Table("Provisions and the evidence for them", columns, rows)


def instruments_table(frameworks: Sequence[Framework] = ()) -> Table:
    """Return every law, framework and standard, whom it binds and since when."""
    rows = tuple(
        (cell(one.short, f"{one.name}, {one.number}"), cell(one.binds), cell(_status(one, framework)))
        for framework in (own(), *frameworks)
        for one in framework.instruments.values()
    )
    return Table("Where these provisions stand", ("Instrument", "Whom they bind", "Since when"), rows)


def _status(one: Instrument, framework: Framework) -> str:
    """Return since when an instrument applies, and for one of a user's when it was read."""
    return one.status if framework is own() else f"{one.status} As read on {framework.date.isoformat()}."


def _told(one: Present | Absent) -> Cell:
    if isinstance(one, Absent):
        return missing(f"Not in this evidence, because {one.reason}.")
    return cell(one.figure, *one.details)


def _row(support: Support, framework: Framework) -> tuple[Cell, ...]:
    entry = support.entry
    short = framework.instruments[entry.instrument].short
    present = _names([one for one, _ in support.present]) or "Nothing in this evidence"
    missing = [f"missing here: {_names(support.absent).lower()}"] if support.absent else []
    unread = ["not checked: its text was not read for this"] if entry.unread else []
    return cell(f"{short} {entry.article}", entry.title), cell(entry.about, *unread), cell(present, *missing)


def _names(found: Sequence[Evidence]) -> str:
    return ", ".join(one.name for one in found).capitalize()

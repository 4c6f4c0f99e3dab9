"""What the page shows, as frozen values: every number formatted, every word chosen, nothing left to decide.

The template lays these out and does no more.
"""

from dataclasses import dataclass

from markupsafe import Markup

from audit.evidence.numbers import LONGEST_TEXT, change, count, named, shorten
from reports.audit_page.sections.attribution import WhereView, not_shown, wheres
from reports.audit_page.sections.classes import classes, classes_told
from reports.audit_page.sections.findings import attackers, task_table
from reports.audit_page.sections.heads import heads
from reports.audit_page.sections.layers import Matrix, layer_matrix, layers_told, widths_table
from reports.audit_page.sections.leakage import readings
from reports.audit_page.sections.provenance import measurement, provenance
from reports.audit_page.sections.references import ceilings, floors, nulls
from reports.audit_page.sections.reproduce import fingerprints, runs, steps
from reports.audit_page.sections.retained import kept_table
from reports.audit_page.sections.sign_off import SignOff, sign_off
from reports.audit_page.sections.threat import Term, tested, threat
from reports.charts.attribute import Drawing, attribute_drawings, task_drawing
from reports.compliance.provisions_view import ComplianceView, compliance_view
from reports.inputs.by_attribute import by_attribute
from reports.inputs.comparison import Comparison
from reports.inputs.paired_difference import accuracy_change
from reports.render.dense import Dense, rules
from reports.render.print_css import running_head
from reports.render.table import Table
from reports.text.bounds import basis, bounds_table
from reports.text.caveats import cautions
from reports.text.sentences import NO_TASK
from reports.text.verdicts import VerdictView, summary, verdict


@dataclass(frozen=True)
class Finding:
    """One private attribute: what is read of it, drawn and in figures."""

    drawing: Drawing
    readings: Dense


@dataclass(frozen=True)
class Page:
    """The whole report, in its order."""

    file: str
    date: str
    subject: str
    summary: str
    verdicts: tuple[VerdictView, ...]
    cautions: tuple[str, ...]
    tested: str
    threat: tuple[Term, ...]
    provenance: tuple[Table, ...]
    findings: tuple[Finding, ...]
    task: Drawing | None
    """None where no task was named."""
    task_table: Table | None
    task_told: str
    kept: tuple[Drawing, ...]
    kept_table: Dense | None
    layers: str
    matrix: Matrix | None
    """None where one layer was audited."""
    widths: Table | None
    classes: Dense
    classes_told: tuple[str, ...]
    attackers: tuple[Dense, ...]
    floors: Dense
    nulls: Dense
    ceilings: Table
    heads: Table | None
    """None where no checkpoint was sanitized."""
    measurement: Table
    where: tuple[WhereView, ...]
    not_shown: str
    """How many attributes have no view of where they are read, or empty."""
    basis: tuple[str, ...]
    """What the bounds on every attacker rest on; empty where there are none."""
    bounds: Dense | None
    steps: tuple[str, ...]
    runs: Table
    fingerprints: Table
    sign_off: SignOff
    compliance: ComplianceView

    @property
    def style(self) -> Markup:
        """Rules of CSS that only this page has: names for the cells of its large tables, and its head on paper."""
        large = (*(one.readings for one in self.findings), *self.attackers, self.classes, self.floors, self.nulls)
        some = tuple(one for one in (self.kept_table, self.bounds) if one)
        return rules((*large, *some, *(one.units for one in self.where))) + running_head(self.file, self.date)


def page(comparison: Comparison) -> Page:
    """Prepare everything that the template shows."""
    last = comparison.audits[-1][1]
    private, kept = by_attribute(comparison.pairs), by_attribute(comparison.kept)
    measured = (*comparison.pairs, *comparison.kept)
    return Page(
        file=shorten(last.checkpoint.file),
        date=last.created[:10],
        subject=_subject(comparison),
        summary=summary(comparison),
        verdicts=tuple(map(verdict, private)),
        cautions=tuple(shorten(text, LONGEST_TEXT) for text in cautions(comparison)),
        tested=tested(comparison),
        threat=threat(comparison),
        provenance=provenance(comparison),
        findings=tuple(
            Finding(drawing, readings(pairs))
            for drawing, pairs in zip(attribute_drawings(private, "leakage"), private, strict=True)
        ),
        task=task_drawing(comparison),
        task_table=task_table(comparison),
        task_told=_task_told(comparison),
        kept=attribute_drawings(kept, "kept"),
        kept_table=kept_table(comparison),
        layers=layers_told(comparison.pairs),
        matrix=layer_matrix(comparison.pairs),
        widths=widths_table(measured),
        classes=classes(measured),
        classes_told=classes_told(measured, last),
        attackers=tuple(map(attackers, (*private, *kept))),
        floors=floors(measured),
        nulls=nulls(measured),
        ceilings=ceilings(measured),
        heads=heads(comparison),
        measurement=measurement(last),
        where=wheres(comparison.pairs),
        not_shown=not_shown(comparison.pairs),
        basis=basis(comparison),
        bounds=bounds_table(comparison),
        steps=steps(comparison),
        runs=runs(comparison),
        fingerprints=fingerprints(comparison),
        sign_off=sign_off(last),
        compliance=compliance_view(comparison),
    )


def _subject(comparison: Comparison) -> str:
    last = comparison.audits[-1][1]
    made = last.checkpoint.sanitizing
    how = f"sanitized with {named(made.method)}" if made else "with no record of a sanitizer"
    against = ", set beside the checkpoint before it" if len(comparison.audits) == 2 else ""
    return (
        f"What fresh attackers read from its bottleneck, {how}{against}. "
        f"Audited {last.created[:10]} on {count(last.data.test.rows)} test rows."
    )


def _task_told(comparison: Comparison) -> str:
    tasks = [audit.task for _, audit in comparison.audits if audit.task]
    if not tasks:
        return (
            f"{NO_TASK[0].upper()}{NO_TASK[1:]}. So this page cannot show whether the model still does what it is for, "
            "nor how much of the leakage its answers give away by themselves."
        )
    if len(tasks) == 1:
        return "How well the model does what it is for: whatever is removed from it should leave this as it is."
    told = change(accuracy_change(tasks[0], tasks[1]).estimate, in_points=True)
    return (
        f"The task's accuracy changed by {told}. Removal is worth little if the task goes with it: read this beside "
        "the leakage above."
    )

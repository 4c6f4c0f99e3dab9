"""The page of one audit, or of an audit before and after: its head, and its sections in order."""

from collections.abc import Sequence

from audit.evidence.numbers import named, of_held, shorten
from reports.audit_page import densities, epochs
from reports.audit_page.sections import (
    attackers,
    attribution,
    bounds,
    classes,
    layers,
    leakage,
    limits,
    power,
    reproduce,
    sign_off,
    task,
    tested,
    verdict,
    words,
)
from reports.compliance import provisions_view
from reports.compliance.mapping import Framework
from reports.inputs.comparison import Comparison
from reports.render.section import Page, Section, filled, folded, running_head


def sections(frameworks: Sequence[Framework]) -> tuple[Section[Comparison], ...]:
    """Return the sections in their order: what everybody reads, then what is opened by who wants it.

    A new one is a module, a template of the same name, and a line here.
    """
    return (
        verdict.SECTION,
        leakage.SECTION,
        task.SECTION,
        classes.SECTION,
        tested.SECTION,
        limits.SECTION,
        sign_off.SECTION,
        folded(power.SECTION),
        folded(attackers.SECTION),
        folded(layers.SECTION),
        folded(attribution.SECTION),
        folded(densities.SECTION),
        folded(bounds.SECTION),
        folded(epochs.SECTION),
        folded(tested.RECORDS),
        folded(provisions_view.section(frameworks)),
        folded(reproduce.SECTION),
        folded(words.SECTION),
    )


def page(comparison: Comparison, frameworks: Sequence[Framework] = ()) -> Page:
    """Prepare everything that the templates show.

    Args:
        comparison: One audit, or two.
        frameworks: A user's own, beside the mapping that comes with irene.
    """
    last = comparison.last
    file = shorten(last.checkpoint.file)
    return Page(
        title=f"Privacy audit of {file}",
        eyebrow="Privacy audit",
        heading=file,
        subject=_subject(comparison),
        sections=filled("audit_page", sections(frameworks), comparison),
        rules=running_head(file, last.created[:10]),
    )


def _subject(comparison: Comparison) -> str:
    last = comparison.last
    made, is_vectors = last.checkpoint.sanitizing, last.checkpoint.format == "embeddings"
    what = "these embeddings" if is_vectors else "the features that leave its bottleneck"
    how = f", sanitized with {named(made.method)}" if made else "" if is_vectors else ", with no record of a sanitizer"
    against = ", set beside those before it" if len(comparison.audits) == 2 else ""
    return (
        f"What attackers, trained afresh, read from {what}{how}{against}. "
        f"Audited {last.created[:10]} on {of_held(last.tested, last.data.test.rows)} test rows."
    )

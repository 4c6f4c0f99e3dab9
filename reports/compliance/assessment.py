"""What an audit can say in each part of a data protection impact assessment, and what it leaves to people.

The parts, their labels and their empty forms are data, in assessment.toml; figures and warnings come from the evidence.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from audit.evidence.numbers import of_held, shorten
from reports.compliance.answers import Answers, answered
from reports.compliance.evidence_items import Absent, items
from reports.compliance.likelihood import likelihood_table
from reports.compliance.mapping import Framework, own
from reports.compliance.part import Part
from reports.compliance.provisions_view import instruments_table, mapping_table, stale
from reports.compliance.special import special_table
from reports.compliance.tables import checkpoints_table, effect_table, measure_table, risk_table, rows_table, use_table
from reports.inputs.by_attribute import by_attribute, worst
from reports.inputs.comparison import Comparison
from reports.text.bounds import basis
from reports.text.caveats import cautions
from reports.text.sentences import sentence
from reports.text.verdicts import summary

PARTS = Path(__file__).parent / "assessment.toml"


@dataclass(frozen=True)
class Assessment:
    """The whole annex."""

    file: str
    subject: str
    sections: dict[str, Part]
    """By what a link to one is called, in their order."""


def assessment(
    comparison: Comparison, frameworks: Sequence[Framework] = (), answers: Answers | None = None
) -> Assessment:
    """Prepare everything that the annex shows, the provisions of a user's frameworks and people's answers among it."""
    last = comparison.last
    tested = of_held(last.tested, last.data.test.rows)
    subject = (
        f"From the audit of {last.created[:10]} on {tested} test rows. What stands in text was "
        "measured, recorded or answered by people; each empty box waits for a person. This is no assessment: it is "
        "what an audit can give to one."
    )
    parts = {name: _filled(part, comparison) for name, part in _parts().items()}
    tables = {
        "processing": (checkpoints_table(comparison), rows_table(comparison), special_table(comparison)),
        "necessity": (use_table(comparison),),
        "risks": (risk_table(comparison), likelihood_table(comparison)),
        "measures": (measure_table(comparison), effect_table(comparison)),
        "articles": (mapping_table(comparison, frameworks), instruments_table(frameworks)),
    }
    for name, some in tables.items():
        parts[name] = replace(parts[name], tables=tuple(one for one in some if one))
    if old := stale(comparison):
        parts["articles"] = replace(parts["articles"], text=(*parts["articles"].text, old))
    parts["result"] = replace(
        parts["result"], points=tuple(sentence(worst(pairs)) for pairs in by_attribute(comparison.pairs))
    )
    parts["risks"] = replace(parts["risks"], points=cautions(comparison))
    parts["measures"] = replace(parts["measures"], text=(*parts["measures"].text, *basis(comparison)))
    return Assessment(shorten(last.checkpoint.file), subject, answered(parts, answers or {}))


@cache
def _parts() -> dict[str, Part]:
    """Return the parts by their ids, as they stand in the file."""
    return TypeAdapter(dict[str, Part]).validate_python(tomllib.loads(PARTS.read_text(encoding="utf-8")))


def _told_apart(names: Iterable[str]) -> tuple[str, ...]:
    """Return names shortened, but for those that would be the same: each has its own line in the answers."""
    short = {name: shorten(name) for name in names}
    often = Counter(short.values())
    return tuple(name if often[one] > 1 else one for name, one in short.items())


def _filled(part: Part, comparison: Comparison) -> Part:
    """Return a part with the words of the evidence in its text, what is absent, and a line for each attribute."""
    is_pair = len(comparison.audits) == 2
    words = {
        "which": " Here from the model before; what the one after gives stands in the next part." if is_pair else "",
        "summary": summary(comparison),
        "date": own().date.isoformat(),
    }
    attributes = _told_apart(dict.fromkeys(pair.last.found.attribute for pair in comparison.pairs))
    filled = replace(
        part,
        text=tuple(text.format_map(words) for text in part.text),
        forms=tuple(replace(form, names=form.names or attributes) for form in part.forms),
    )
    if not part.absent:
        return filled
    found = items(comparison)
    reasons = {found[item].name: told.reason for item in part.absent if isinstance(told := found[item].told, Absent)}
    points = tuple(f"{name}: {reason}." for name, reason in reasons.items())
    return replace(filled, points_title="Not in this evidence", points=points)

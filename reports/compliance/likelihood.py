"""How likely an inference is, as far as the evidence goes: a proposal in words, which nobody's scale is set by."""

from audit.evidence.headline import written_excess
from reports.inputs.by_attribute import by_attribute, worst
from reports.inputs.comparison import Comparison, Pair
from reports.render.table import Cell, Table, cell
from reports.text.sentences import attribute_at

PROPOSED = {
    "FAIL": "high: attackers who have the features and labelled rows read it beyond the limit",
    "INCONCLUSIVE": "not to be called low: these rows cannot tell",
    "PASS": "low, as far as the attackers tried go; raise it where somebody has other sources or more rows",
}
CAPTION = "Likelihood of an inference by who has the features: proposed from the evidence, to be set by a person"


def likelihood_table(comparison: Comparison) -> Table:
    """Return a proposal for each private attribute, of the audit that the verdict is on and the layer that decides."""
    rows = tuple(_row(worst(pairs)) for pairs in by_attribute(comparison.pairs))
    return Table(CAPTION, ("Inference of", "Proposed likelihood", "On what"), rows)


def _row(pair: Pair) -> tuple[Cell, ...]:
    found = pair.last.found
    excess = written_excess(found)
    return (
        cell(attribute_at(found)),
        cell(PROPOSED[found.decided.verdict]),
        cell(f"{excess.value} over the floor", excess.interval, found.decided.verdict),
    )

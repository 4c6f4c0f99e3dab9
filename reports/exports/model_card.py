"""A section of a Hugging Face model card: the verdicts in words, and the figures as its `model-index`."""

import json
from collections.abc import Sequence

from audit.errors import visible
from audit.evidence.audit_result import AuditResult
from audit.evidence.numbers import of_held
from reports.inputs.comparison import Pair, compare
from reports.render.markdown import text
from reports.text.sentences import retained_sentence, sentence, task_sentence

TASK = {"type": "attribute-inference", "name": "Attribute inference by fresh attackers"}
BY = (
    "Audited {date} on {rows} test rows, by attackers that were trained from scratch on rows that nothing else saw. "
    "A figure of an attacker is a lower bound."
)
MEANS = (
    "A PASS is about these attributes, this layer and rows like these. It is not anonymity, and says nothing of "
    "membership."
)
METRICS = {"balanced_accuracy": "balanced accuracy", "r2": "R²"}


def model_card(before: AuditResult, after: AuditResult | None = None) -> str:
    """Return Markdown that begins with the metadata of the model: put both into the card of the checkpoint.

    Raises:
        EvidenceError: The two audits cannot be compared.
    """
    comparison = compare(before, after)
    last = comparison.last
    told = [*map(sentence, comparison.pairs), *map(retained_sentence, comparison.retained)]
    index = [{"name": last.checkpoint.file, "results": [_result(pair, last) for pair in comparison.pairs]}]
    task = task_sentence(comparison)
    lines = [
        "---",
        "model-index:",
        *_yaml(index),
        "---",
        "",
        "## Privacy audit",
        "",
        text(BY.format(date=last.created[:10], rows=of_held(last.tested, last.data.test.rows))),
        "",
        *(f"- {text(one)}" for one in told),
        *([f"- {text(task)}"] if task else []),
        "",
        text(MEANS),
    ]
    return "\n".join(lines) + "\n"


def _result(pair: Pair, last: AuditResult) -> dict[str, object]:
    found, measured = pair.last.found, pair.last.measurement
    what = f"{METRICS[measured.metric]} of the strongest fresh attacker, {found.attribute} at {found.layer}"
    above = f"the same, above the floor ({found.decided.verdict})"
    return {
        "task": TASK,
        "dataset": {"name": last.data.name, "type": "private"},
        "metrics": [
            {"type": measured.metric, "value": round(measured.score.value, 4), "name": what},
            {"type": "excess", "value": round(measured.excess.value, 4), "name": above},
        ],
    }


def _yaml(index: Sequence[object]) -> list[str]:
    """Return a list as YAML, of which JSON is a part: whatever a name holds, it stays a name."""
    return [f"- {json.dumps(_visible(one), ensure_ascii=False)}" for one in index]


def _visible(value: object) -> object:
    if isinstance(value, dict):
        return {key: _visible(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_visible(one) for one in value]
    return visible(value) if isinstance(value, str) else value

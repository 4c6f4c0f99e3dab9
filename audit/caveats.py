"""What the evidence says of its circumstances: which model that came from no file, and what to know of the rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from audit.data.class_order import in_words
from audit.data.columns import AnyColumn, Quantity
from audit.data.labelled import LabelledData
from audit.errors import IreneError
from audit.evidence.audit_result import AnyTask, Checkpoint, Sanitizing
from audit.evidence.findings import Finding
from audit.evidence.headline import not_above
from audit.far_values import FAR, rows_with_far_values
from audit.model import release
from audit.model.features.gathered import Features
from audit.model.forward import Encoder
from audit.protocol.duplicates import describe_copies

MOST_NAMES = 20
"""Rare classes that a note names."""
EVENLY = (
    "the test rows were drawn evenly by class (--test-rows): information in bits is of classes that are as frequent as "
    "they were drawn"
)
AT_RANDOM = "the test rows were drawn at random (--test-rows): figures are of these, and intervals wider than of all"
NO_GROUP = (
    "no group column was given: if several rows show one person, attackers may know people by heart, and intervals are "
    "too narrow; --group keeps such rows together"
)
NO_LAYER = "no layer was named, so what leaves the model (logits) was audited"
NO_TASK = (
    "neither a task nor a layer was named: the model's few outputs were taken for class scores, and what they are made "
    "of was audited; if they are what is released, name --layer logits"
)

IS_TRUTH = (
    "the predictions ({predicted!r}) are the true labels of {task!r} in every row: if they are no model's answers, the "
    "floor is that of a model without an error, and leakage beyond it comes out too small"
)

TRAINED_ON_THESE = (
    "the audited rows have the labels, row by row, of those that the model was sanitized with, and seem to be the "
    "same: attackers read less of rows that a removal has seen than of others, so there is no PASS; audit rows that it "
    "has not seen"
)
SPLIT_BY_KEPT = (
    "the splits spread the kept attributes evenly, too: without --keep they are others, and so is the floor, by as "
    "much as chance allows"
)


class Better(Protocol):
    """A reading of a model's outputs by which it would do its task far better."""

    def describe(self, task: str, /) -> str:
        """Say so, without a full stop."""


def grave(features: Features, findings: Sequence[Finding], task: AnyTask | None, better: Better | None) -> list[str]:
    """Return what makes every figure doubtful, a PASS first of all: a model, or rows, that seem to be broken."""
    found = []
    if len(features.copies) > 1 and features.same_input and not features.copies.any():
        found.append("every row has the very same input, so that nothing can be told from it; look at how it is read")
    for layer in dict.fromkeys(one.layer for one in findings if one.measurement.constant):
        found.append(f"layer {layer!r} gives the same vector for every row: the model or its input may be broken")
    if task is None:
        return found
    if task.answered == 1:
        found.append(f"the model gives one answer to {task.name!r} for all test rows")
    if task.score.low <= task.level:
        found.append(not_above(task))
    if better:
        found.append(better.describe(task.name))
    return found


def is_trained_on(read: LabelledData, made: Sanitizing | None) -> bool:
    """Return whether a sanitizer trained on these rows, by labels and groups, of which its record has the SHA-256."""
    if made is None:
        return False
    named = [
        name for part in ("task", "private", "keep") for name in str(made.settings.get(part) or "").split(",") if name
    ]
    try:
        return read.complete(named).labels_sha256(named) == made.data_fingerprint
    except IreneError:  # rows without such columns are others
        return False


def in_bins(bins: Mapping[str, int], task: str) -> str:
    """Say how a quantity became the task label that the floor is made from."""
    told = ", ".join(f"{count} for {name!r}" for name, count in bins.items())
    return (
        f"{task!r} is a quantity: the floor is what the bin of its prediction tells, cut at quantiles of the rows that "
        f"fit attackers into as many as tell most on those that choose ({told}); what z adds to the task is beside its "
        "true value, cut into as many"
    )


def how_drawn(attacked: Iterable[AnyColumn]) -> str:
    """Say how the test rows were drawn where more were held: evenly by class, if any attribute has classes."""
    return AT_RANDOM if all(isinstance(one, Quantity) for one in attacked) else EVENLY


def class_order(task: AnyTask, features: Features, *, ordered: bool) -> list[str]:
    """Say for which classes the model's outputs were taken, where nobody and nothing but the alphabet said so."""
    names = task.classes if task.percent else []
    by_alphabet = names == sorted(names) and not all(map(_is_plain, names)) and not ordered
    if features.single_output:
        other = "" if ordered else "; --positive names another"
        return [f"the model's single output was taken for the class {names[1]!r} of {task.name!r}{other}"]
    if not by_alphabet:
        return []
    return [
        f"the model's outputs were taken in the order {in_words(names)} of the classes of {task.name!r}, which is the "
        "alphabet's; --task-classes names another"
    ]


def _is_plain(name: str) -> bool:
    """Return whether a class is a number or a truth value, whose order is beyond doubt."""
    try:
        float(name)
    except ValueError:
        return name in ("False", "True")
    return True


def released(encoder: Encoder | None, checkpoint: Checkpoint) -> list[str]:
    """Say what a release at the bottleneck leaves as it was: everything before it."""
    carried = encoder is not None and release.NAME in dict(encoder.model.named_children())
    made = checkpoint.sanitizing
    if not carried and (checkpoint.format == "embeddings" or not (made and made.release)):
        return []
    place = f" at {made.layer}" if made else ""
    return [
        f"the model carries a release{place}; what the encoder gives before it leaks as it did, so whoever gets the "
        "weights can leave the release out and read that"
    ]


def cautions(data: LabelledData, features: Features, columns: Mapping[str, AnyColumn], copies: int) -> list[str]:
    """Return what a reader should know of the rows before the figures."""
    found = []
    if data.group is None:
        found.append(NO_GROUP)
    if unreadable := len(data) - len(features.rows):
        found.append(f"{unreadable} of {len(data)} inputs could not be read and were left out")
    found += [far_values(layer, rows, len(z)) for layer, z in features.z.items() if (rows := rows_with_far_values(z))]
    if copies:
        found.append(describe_copies(copies, features, grouped=data.group is not None))
    for name, column in columns.items():
        if missing := int((~column.known).sum()):
            found.append(
                f"{name!r} is not known for {missing} of {len(column)} rows, which were left out where it counts"
            )
    found += dict.fromkeys(remark for column in columns.values() for remark in column.remarks.all)
    if features.predicted is None:
        found.append("no prediction of a task was given, so the floor is chance")
    return [caution for caution in found if caution not in data.notes]


def far_values(layer: str, rows: int, of: int) -> str:
    """Say how many rows hold values that would have hidden those of all others from attackers."""
    return (
        f"at {layer!r}, {rows:,} of {of:,} rows hold a value that is {FAR:g} times as far out as is usual of its "
        "feature; attackers read such features as they are, and with far values drawn in"
    )


def rare_classes(findings: Sequence[Finding]) -> list[str]:
    """Say for each attribute which classes were left out or merged, and how many rows, each once."""
    found = []
    for name, one in ((finding.attribute, finding.measurement) for finding in findings):
        if one.left_out:
            rows, names = _rows(one.left_out), _names(one.left_out)
            found.append(f"{rows} were left out of {name!r}, in classes too rare to audit: {names}")
            if None in one.left_out.values():
                found.append(f"rows of other classes of {name!r} were left out too: no total tells how few those are")
        if one.merged:
            rows, names = _rows(one.merged), _names(one.merged)
            found.append(f"{rows} of {name!r} were merged into one class, of classes too rare to audit alone: {names}")
    return list(dict.fromkeys(found))


def _rows(counts: Mapping[str, int | None]) -> str:
    known = sum(count for count in counts.values() if count is not None)
    if None not in counts.values():
        return f"{known} rows"
    return f"{known} rows and some more" if known else "a few rows"


def _names(counts: Mapping[str, int | None]) -> str:
    names = [*counts][:MOST_NAMES]
    return ", ".join(names) + (f" and {len(counts) - len(names)} more" if len(counts) > len(names) else "")

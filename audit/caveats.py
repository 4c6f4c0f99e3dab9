"""What the evidence says of its circumstances: which model that came from no file, and what to know of the rows."""

from collections.abc import Mapping, Sequence

from audit.data.columns import AnyColumn
from audit.data.labelled import LabelledData
from audit.evidence.findings import Finding
from audit.model.representations import Features
from audit.protocol.duplicates import describe_copies

MOST_NAMES = 20
"""Rare classes that a note names."""
NO_GROUP = "no group column was given: if several rows show one person, attackers may know people by heart"


def cautions(data: LabelledData, features: Features, columns: Mapping[str, AnyColumn], copies: int) -> list[str]:
    """Return what a reader should know of the rows before the figures."""
    found = []
    if data.group is None:
        found.append(NO_GROUP)
    if unreadable := len(data) - len(features.rows):
        found.append(f"{unreadable} of {len(data)} inputs could not be read and were left out")
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


def rare_classes(findings: Sequence[Finding]) -> list[str]:
    """Say for each attribute which classes were left out or merged, and how many rows, each once."""
    found = []
    for name, one in ((finding.attribute, finding.measurement) for finding in findings):
        if one.left_out:
            rows, names = _rows(one.left_out), _names(one.left_out)
            found.append(f"{rows} were left out of {name!r}, in classes too rare to audit: {names}")
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

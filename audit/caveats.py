"""What the evidence says of its circumstances: which model that came from no file, and what to know of the rows."""

from collections.abc import Mapping

from audit.data.columns import AnyColumn
from audit.data.labelled import LabelledData
from audit.evidence.findings import Finding
from audit.model.representations import Features
from audit.protocol.duplicates import describe_copies

NO_GROUP = "no group column was given: if several rows show one person, attackers may know people by heart"
NO_LAYER = "no layer was named, so what leaves the model (logits) was audited"


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
    if features.predicted is None:
        found.append("no prediction of a task was given, so the floor is chance")
    return found


def rare_classes(one: Finding) -> str:
    """Say how many rows of an intersection were left out."""
    left_out = one.measurement.left_out
    counts, names = list(left_out.values()), ", ".join(left_out)
    known = sum(count for count in counts if count is not None)
    some = f"{known} rows" if None not in counts else f"{known} rows and some more" if known else "a few rows"
    return f"{some} were left out of {one.attribute!r}, in classes too rare to audit: {names}"

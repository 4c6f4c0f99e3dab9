"""What the evidence says of its circumstances: which model that came from no file, and what to know of the rows."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from audit.data.columns import AnyColumn
from audit.data.labelled import LabelledData
from audit.data.on_disk import AT_ONCE, blocks
from audit.evidence.audit_result import Checkpoint
from audit.evidence.findings import Readability
from audit.model.representations import Features
from audit.protocol.duplicates import told_of_copies

NO_GROUP = "no group column was given: if several rows show one person, attackers may know people by heart"


def describe_model(model: nn.Module) -> Checkpoint:
    """Describe a model that came from no file by its class and a SHA-256 over its weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + b"\0" + tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return Checkpoint(
        file="(live object)",
        sha256=digest.hexdigest(),
        architecture=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        format="live object",
    )


def describe_features(data: LabelledData, layers: Mapping[str, NDArray[Any]]) -> Checkpoint:
    """Describe features that came from no file by a SHA-256 over them."""
    digest = hashlib.sha256()
    for layer in layers.values():
        for rows in blocks(layer, AT_ONCE):
            digest.update(np.ascontiguousarray(rows).tobytes())
    return Checkpoint(
        file=data.name, sha256=digest.hexdigest(), architecture="unknown", parameters=0, format="embeddings"
    )


def cautions(data: LabelledData, features: Features, columns: Mapping[str, AnyColumn], copies: int) -> list[str]:
    """Return what a reader should know of the rows before the figures."""
    found = []
    if data.group is None:
        found.append(NO_GROUP)
    unreadable = len(data) - len(features.rows)
    if unreadable:
        found.append(f"{unreadable} of {len(data)} inputs could not be read and were left out")
    if copies:
        found.append(told_of_copies(copies, features, grouped=data.group is not None))
    for name, column in columns.items():
        missing = int((~column.known).sum())
        if missing:
            found.append(
                f"{name!r} is not known for {missing} of {len(column)} rows, which were left out where it counts"
            )
    if features.predicted is None:
        found.append("no prediction of a task was given, so the floor is chance")
    return found


def told_of_rare(one: Readability) -> str:
    """Say how many rows of an intersection were left out."""
    counts, names = list(one.left_out.values()), ", ".join(one.left_out)
    known = sum(count for count in counts if count is not None)
    some = f"{known} rows" if None not in counts else f"{known} rows and some more" if known else "a few rows"
    return f"{some} were left out of {one.attribute!r}, in classes too rare to audit: {names}"

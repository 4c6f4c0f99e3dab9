"""The evidence of one sweep: task accuracy against leakage to fresh attackers, point by point.

A point is one method at one weight, trained from the same checkpoint and audited on the same rows as all others.
Shares lie in [0, 1]; information is in bits.
"""

from pathlib import Path
from typing import Final, Literal, Self

from pydantic import model_validator

from audit.evidence.audit_result import Checkpoint, DataRows, Protocol
from audit.evidence.findings import Certificate, Estimate, Verdict
from audit.evidence.json_file import (
    Frozen,
    Number,
    Options,
    Share,
    Text,
    parsed,
    read_json,
    require_digest,
)
from audit.evidence.method_card import MethodCard

SWEEP_VERSION: Final = "2"
WHAT: Final = "a sweep's evidence"
UNTOUCHED: Final = "untouched"
"""Method of the point that is the checkpoint itself."""


class SweepReading(Frozen):
    """Leakage of one private attribute to the strongest fresh attacker at one point."""

    attribute: str
    test_rows: int
    """Rows that every figure here is of."""
    chance: Share
    """Balanced accuracy of a guess: 1 / number of classes."""
    entropy: Number
    """H(v) on the test rows, in bits: the most there is to learn."""
    strongest: Text
    """`name on view`; chosen on the selection rows, scored on the test rows."""
    balanced_accuracy: Estimate
    bits: Estimate
    """Usable information, H(v) − CE."""
    floor: Estimate
    """Balanced accuracy of the best attacker that sees this point's predicted task label alone."""
    excess: Estimate
    """`balanced_accuracy` − `floor`, paired on the same resamples."""
    verdict: Verdict
    """On the excess, against the protocol's limit."""
    reason: str
    certificate: Certificate | None = None
    """Upper bound on any attacker; null where the layer gives no finite code."""


class SweepKept(Frozen):
    """One retained attribute at one point."""

    attribute: str
    test_rows: int
    chance: Share
    strongest: Text
    auroc: Estimate
    """Mean over classes of the area under the ROC curve; .5 tells nothing."""
    balanced_accuracy: Estimate
    at_best: Estimate | None = None
    """AUROC that could be kept at best of this point's features if nothing were told of the private attributes beyond
    the predicted task label; null in evidence of before."""


class SweepFigures(Frozen):
    """The audit of one point."""

    accuracy: Estimate
    """Of the task, on the test rows."""
    balanced_accuracy: Estimate
    """Of the task."""
    read: list[SweepReading]
    kept: list[SweepKept]


class SweepPoint(Frozen):
    """One method at one weight."""

    method: Text
    """As it was named, or `untouched`."""
    card: MethodCard | None = None
    """How the method introduces itself; null where its module declares no card, or the file is an older one."""
    weight: Number | None
    """What its removal terms are multiplied by; null for a method that takes no weight."""
    settings: Options
    """All settings of the method."""
    epochs: int
    """Epochs that were trained; fewer than asked for where training was out of patience, 0 where it diverged."""
    chosen: int | None
    """Which epoch was audited, from 0; null where none was trained."""
    figures: SweepFigures | None
    """Null where there is no model to audit."""
    failure: Text | None = None
    """Why there is none."""
    train_seconds: Number
    audit_seconds: Number
    created: str
    """UTC, ISO 8601."""
    call: int
    """Which of the sweep's calls made this point, from 0."""

    @model_validator(mode="after")
    def _figures_or_a_reason(self) -> Self:
        if (self.figures is None) == (self.failure is None):
            raise ValueError("a point has either figures or the reason why not")
        return self


class SweepSetup(Frozen):
    """What all points of a sweep have in common: a call that adds some must ask for the same."""

    checkpoint: str
    """SHA-256 of the file that every point starts from."""
    architecture: Text
    data: Text
    options: Options
    """What the source of the audited rows was asked for."""
    group: str | None
    """What keeps rows together."""
    audit_rows: int
    audit_labels: str
    """SHA-256 over the labels and groups of the audited rows, in order."""
    train_rows: int
    train_labels: str
    """SHA-256 over the labels and groups of the rows that points were trained on; no attacker saw them."""
    task: str
    private: list[str]
    keep: list[str]
    layer: str
    """The bottleneck that was worked on and audited."""
    pool: str
    attackers: list[Text]
    limit: Share
    """The largest excess that passes."""
    seed: int
    recipe: Options
    """How every point was trained: epochs, batch, optimizer, …"""


class SweepCall(Frozen):
    """One call of the command that added points."""

    created: str
    """UTC, ISO 8601."""
    command: Text
    versions: dict[str, str]
    device: str
    planned: list[Text] = []
    """Titles of the points that it was to make or found made, in their order; none in evidence of before."""


class Sweep(Frozen):
    """One sweep: a file that grows by whole points."""

    schema_version: Literal["2"] = SWEEP_VERSION
    digest: str | None = None
    """SHA-256 over all the rest of the file, as of an audit; the first schema had none."""
    setup: SweepSetup
    checkpoint: Checkpoint
    data: DataRows
    """The audited rows, and their splits."""
    protocol: Protocol
    """How every point was audited."""
    task_chance: Share
    """Accuracy of always answering the task's most frequent class."""
    warnings: list[Text]
    calls: list[SweepCall]
    points: list[SweepPoint]
    """In the order they were made; the untouched checkpoint first."""

    def find(self, method: str, weight: float | None) -> SweepPoint | None:
        """Return the point of one method at one weight, if it is here."""
        return next((one for one in self.points if (one.method, one.weight) == (method, weight)), None)


def title(method: str, weight: float | None) -> str:
    """Return what a point is called."""
    return method if weight is None else f"{method} {weight:g}"


def read_sweep(path: Path, *, allow_unsealed: bool = False) -> Sweep:
    """Read the evidence that `irene sweep` wrote, unchanged since by its own digest, or raise an EvidenceError.

    `allow_unsealed` also reads the first schema, which had no digest; a warning of the sweep then says so.
    """
    content = read_json(path, WHAT)
    result = parsed(Sweep, content, path, WHAT, SWEEP_VERSION, {"1": lambda old: {**old, "schema_version": "2"}})
    unsealed = require_digest(content, path, SWEEP_VERSION, allow_unsealed=allow_unsealed)
    return result.model_copy(update={"warnings": [*result.warnings, unsealed]}) if unsealed else result

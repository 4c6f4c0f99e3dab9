"""The evidence of one audit: frozen, versioned, and the only thing that reports are made from.

Every figure carries what it has to be read against. Shares lie in [0, 1]; information is in bits.
"""

import json
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, model_validator

from audit.record import (
    Cells,
    Frozen,
    MaybeNumber,
    MaybeShare,
    Number,
    Options,
    Share,
    Text,
    as_json,
    digest,
    parse,
    write_model,
)

SCHEMA_VERSION: Final = "2"
SIDECAR_VERSION: Final = "1"
COMMITTEE: Final = "committee"
"""Name of the attacker that is several, joined on the selection rows."""

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]


class Estimate(Frozen):
    """A figure on the test rows with its 95 % bootstrap interval."""

    value: Number
    low: Number
    high: Number


class AttackerResult(Frozen):
    """What one attacker, trained from scratch, read from one view of the bottleneck."""

    name: str
    """`logistic`, `mlp`, …"""
    view: str
    """`standardised` or `whitened` features."""
    select: MaybeShare
    """Balanced accuracy on the selection rows; it decides which attacker is the headline."""
    balanced_accuracy: Estimate | None
    """On the test rows."""
    auroc: Estimate | None
    """Mean over classes of the area under the ROC curve of one class against the others; .5 tells nothing."""
    bits: Estimate | None
    """Usable information, H(v) − CE; may be negative for an attacker worse than the class frequencies."""
    failure: Text | None = None
    """Why the attacker could not run; its figures are then null."""


class RegressorResult(Frozen):
    """What one attacker, trained from scratch, read of a continuous attribute."""

    name: str
    view: str
    select: MaybeNumber
    """R² on the selection rows; it decides which attacker is the headline."""
    r2: Estimate | None
    mae: Estimate | None
    """In the attribute's own unit."""
    failure: Text | None = None


class ClassRows(Frozen):
    """How many rows of one class each split holds."""

    name: str
    train: int
    select: int
    test: int


class NullBand(Frozen):
    """The headline's figure when the strongest attacker is refitted on shuffled labels."""

    mean: Number
    low: Number
    high: Number
    """95 % prediction interval over the refits."""
    refits: int


class Ceiling(Frozen):
    """What the same kind of attacker reads from the raw input: tells "no leak" from "weak attacker"."""

    source: str
    """What the attacker saw, for instance `input averaged to 3 × 12 × 12`."""
    strongest: str
    figure: Estimate
    """In the headline's unit: balanced accuracy, or R²."""


class Unit(Frozen):
    """One feature of the bottleneck, and what it is worth to the attacker."""

    index: int
    """Its position in the pooled features, from 0."""
    bits: Number
    """Usable information that the attacker loses when this unit is shuffled among the rows."""


class Where(Frozen):
    """Where the strongest attacker reads, as means over many rows; never one person's."""

    samples: int = Field(ge=50)
    """Test rows that every figure here is a mean over."""
    attacker: str
    """`name on view`."""
    units: list[Unit]
    """The units worth most, in descending order."""
    width: int
    """How many units there are."""
    input_map: list[list[Number]] | None
    """Bits lost when a patch of the input is hidden, by row and column of patches; null without images."""
    patch: list[int] | None
    """Height and width of a patch, in pixels."""
    note: Text = ""
    """Why there is no map, or nothing."""


Draws = list[Number | None]
"""A figure on each bootstrap resample of the test groups, to four digits; null where it could not be taken.

Two audits of the same rows with the same seed drew the same groups, so that their difference has an interval of its
own. A draw is a mean over rows of people drawn at random: it tells nothing of a row to who does not have the rows.
"""


class Readability(Frozen):
    """How much of one attribute can be read at one layer."""

    attribute: str
    """A column's name, or several joined by `+` for their intersection."""
    layer: str
    """A dotted module name; `name:input` is what that module is given; `logits` is the model's output."""
    width: int
    """Features per row that the attackers see."""
    projected_from: int | None = None
    """Width before the random projection that made it `width`, or null where there was none."""
    missing: int = 0
    """Rows without a value of this attribute; no attacker saw them."""
    left_out: Cells = {}
    """Classes of an intersection that were too rare to audit, and their rows; null where the count is withheld."""
    classes: list[ClassRows]
    chance: Share
    """Balanced accuracy of a guess: 1 / number of classes."""
    entropy: Number
    """H(v) on the test rows, in bits: the most there is to read."""
    attackers: list[AttackerResult]
    strongest: str
    """`name on view` of the attacker with the highest `select`; the figures below are its own."""
    balanced_accuracy: Estimate
    auroc: Estimate
    bits: Estimate
    floor: Estimate
    """Balanced accuracy of the best attacker that sees the predicted task label alone; chance without one, or where
    it shows no dependence on the attribute."""
    floor_bits: Estimate
    given_task: Estimate | None = None
    """Usable information in bits that the features add to the true task label, CE(v|y) − CE(v|z,y); null
    without a task."""
    ceiling: Ceiling | None = None
    """Null where there is no raw input, or it was not asked for."""
    null: NullBand
    excess: Estimate
    """`balanced_accuracy` − `floor`, paired on the same resamples."""
    resolution: Number
    """Half-width of a 95 % interval at the floor with these test rows: smaller leaks cannot be told."""
    balanced_accuracy_draws: Draws = []
    auroc_draws: Draws = []
    excess_draws: Draws = []


class Certificate(Frozen):
    """What no attacker of a finite code can exceed, at the confidence given: counted on all audited rows."""

    rows: int
    """Rows that were counted; the model was made from none of them."""
    codes: int
    """Distinct vectors that the layer gave for them."""
    independent: list[Number]
    """Independent rows of each class, with every group's rows taken for copies of each other."""
    balanced_accuracy: Share
    """Of any attacker whatever, at most."""
    bits: Number
    """I(code; v), at most; each of the two bounds holds with the confidence by itself."""
    confidence: Share


class Leakage(Readability):
    """A private attribute at one layer, with the verdict on its excess."""

    limit: Share
    """The largest excess that passes."""
    verdict: Verdict
    reason: str
    """One sentence: why this verdict, and what would settle an open one."""
    where: Where | None = None
    """Null where it was not asked for."""
    certificate: Certificate | None = None
    """Null where the layer gives no finite code."""


class Regression(Frozen):
    """How much of one continuous attribute can be read at one layer."""

    attribute: str
    layer: str
    width: int
    projected_from: int | None = None
    missing: int = 0
    rows: ClassRows
    """Rows with a value in each split; its name is the attribute's."""
    attackers: list[RegressorResult]
    strongest: str
    r2: Estimate
    """Share of the variance that the strongest attacker explains on the test rows; 0 is answering the mean."""
    mae: Estimate
    """Its mean absolute error, in the attribute's unit."""
    median_mae: Number
    """Mean absolute error of answering the median of the attackers' training rows."""
    floor: Estimate
    """R² of the best attacker that sees the predicted task label alone; 0 without a task."""
    ceiling: Ceiling | None = None
    null: NullBand
    excess: Estimate
    """`r2` − `floor`, paired on the same resamples."""
    resolution: Number
    """Half-width of a 95 % interval of an R² as large as the limit: smaller leaks cannot be told."""
    r2_draws: Draws = []
    mae_draws: Draws = []
    excess_draws: Draws = []


class ContinuousLeakage(Regression):
    """A continuous private attribute at one layer, with the verdict on its excess of R²."""

    limit: Share
    verdict: Verdict
    reason: str


class Task(Frozen):
    """What the model is for, and how well it does it on the same test rows."""

    name: str
    classes: list[str]
    accuracy: Estimate
    balanced_accuracy: Estimate
    chance: Share
    """Accuracy of always answering the most frequent class."""
    missing: int = 0
    """Audited rows without a value of the task."""
    accuracy_draws: Draws = []


class Epoch(Frozen):
    """Mean losses of one epoch of fine-tuning."""

    task_loss: Number
    """Cross-entropy, in nats."""
    penalty: dict[str, Number]
    """Per attribute: what the method minimises, before its weight."""
    task_accuracy: Number | None = None
    """Balanced accuracy of the task on rows held out from training."""
    fresh: dict[str, Number] = {}
    """Per attribute: balanced accuracy of quick attackers, trained from scratch on held-out rows."""


class Sanitizing(Frozen):
    """What the sanitizer says it did; its own head's figures are no evidence of removal."""

    method: str
    settings: Options
    layer: str
    """The bottleneck that was worked on."""
    parent_sha256: str
    """Of the checkpoint that was fine-tuned."""
    trace: list[Epoch]
    chosen: int | None = None
    """Which epoch of the trace the weights are of, from 0, by the task and a quick fresh audit on held-out rows."""
    release: Literal["code", "map"] | None = None
    """What stands at the bottleneck since: a finite code, an affine map, or nothing."""
    head_accuracy: dict[str, Share | None]
    """Per attribute: balanced accuracy of the head in the training loop, on rows held out from it; null
    for a method without one."""
    head_rows: int
    data_fingerprint: str
    """SHA-256 over the training rows and labels that the sanitizer saw."""
    versions: dict[str, str]


class Sidecar(Frozen):
    """The file beside a sanitized checkpoint."""

    schema_version: Literal["1"] = SIDECAR_VERSION
    sha256: str
    """Of the sanitized checkpoint that this record belongs to."""
    sanitizing: Sanitizing


class Checkpoint(Frozen):
    """Which model was audited."""

    file: str
    """The file's name without its folder."""
    sha256: str
    architecture: Text
    parameters: int
    format: str = "state_dict"
    """`state_dict`, `torchscript`, `exported program`, `pickled module`, `embeddings` or `live object`."""
    weights_key: str | None = None
    """Under which key of the file the weights stood."""
    pickle_ran: bool = False
    """Whether the user let the file run code of its own (--allow-pickle)."""
    sanitizing: Sanitizing | None = None


class Split(Frozen):
    """Rows and groups of one split."""

    rows: int
    groups: int


class DataRows(Frozen):
    """Which rows were audited."""

    name: Text
    options: Options
    """What the source was asked for: rho, image size, part, …"""
    rows: int
    fingerprint: str
    """SHA-256 over inputs, labels and groups in order: two audits saw the same rows iff it is equal."""
    group: str | None
    """What keeps rows together (a person, a source image), or null if every row stands alone."""
    unreadable: int = 0
    """Rows whose input could not be read; nothing saw them."""
    copies: int = 0
    """Rows with the very input of a row of another group; their groups were joined."""
    train: Split
    select: Split
    test: Split


class Protocol(Frozen):
    """How it was measured."""

    seed: int
    attackers: list[str]
    views: list[str]
    bootstrap: int
    null_refits: int
    fit_rows: int
    """At most this many rows fit an attacker."""
    null_rows: int
    """At most this many rows fit an attacker on shuffled labels."""
    pool: str
    """How maps and token sequences become one vector a row."""
    limit: Share
    limit_set_by: Literal["user", "default"]


class AuditResult(Frozen):
    """One audit: the contract between the three packages."""

    schema_version: Literal["2"] = SCHEMA_VERSION
    digest: str | None = None
    """SHA-256 over all the rest of the file (audit.record.digest): an edit is seen. It is no signature."""
    created: str
    """UTC, ISO 8601."""
    command: Text
    checkpoint: Checkpoint
    data: DataRows
    task: Task | None
    """Null where no task was named, or nothing predicts it."""
    protocol: Protocol
    leakage: list[Leakage]
    continuous: list[ContinuousLeakage] = []
    kept: list[Readability] = []
    """Attributes that should stay readable."""
    kept_continuous: list[Regression] = []
    warnings: list[Text]
    versions: dict[str, str]
    device: str

    @model_validator(mode="after")
    def _measured_something(self) -> Self:
        if not self.leakage and not self.continuous:
            raise ValueError("no private attribute was measured")
        return self

    def find(self, attribute: str, layer: str) -> Leakage | None:
        """Return the figures of one attribute at one layer, if they are here."""
        return next((one for one in self.leakage if (one.attribute, one.layer) == (attribute, layer)), None)

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows for this audit."""
        from audit.notebook import card  # noqa: PLC0415  the table is made from evidence, not the other way round

        return card(self)


def write_audit(result: AuditResult, path: Path) -> None:
    """Write the evidence of an audit with its digest, whole or not at all."""
    write_model(result.model_copy(update={"digest": digest(json.loads(as_json(result)))}), path)


def read_audit(path: Path) -> AuditResult:
    """Read the evidence that `irene audit` wrote, of this schema or an older one.

    Raises:
        EvidenceError: No such file, no JSON, another schema version, or a field that is missing or wrong.
    """
    return parse(AuditResult, path, "an audit's evidence", SCHEMA_VERSION, {"1": _from_1})


def read_sidecar(path: Path) -> Sidecar:
    """Read the record that `irene sanitize` left beside a checkpoint.

    Raises:
        EvidenceError: The file is missing, is not JSON, or does not fit.
    """
    return parse(Sidecar, path, "a sanitizer's record", SIDECAR_VERSION)


def _from_1(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had no draws and no digest."""
    return {**content, "schema_version": "2"}

"""What attackers read of one attribute at one layer, with what every figure has to be read against.

Shares lie in [0, 1]; information is in bits.
"""

from typing import Final, Literal

from pydantic import Field

from audit.evidence.json_file import Cells, Frozen, MaybeNumber, MaybeShare, Number, Share, Text

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

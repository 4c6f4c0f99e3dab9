"""Findings: leakage of one attribute at one layer, and the references that every figure has to be read against.

Shares lie in [0, 1]; information is in bits.
"""

from collections.abc import Collection
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from audit.evidence.densities import Densities
from audit.evidence.json_file import Cells, Frozen, MaybeNumber, Number, Share, Text
from audit.evidence.metric import GIVEN_TASK, METRICS, Metric, MetricName

ENSEMBLE: Final = "committee"
"""Name of the attacker that is several, joined on the selection rows."""

MOST_CODES: Final = 1024
"""More distinct vectors than this are no finite code that could be counted."""
ROWS_PER_CODE: Final = 4
"""Fewer rows than this for each vector bound nothing."""

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE"]
FALSE_ACCEPT_RATES: Final = (0.01, 0.001, 0.0001)
"""Shares of impostor pairs that a threshold of verification accepts at most."""
RESOLVED: Final = 10
"""Impostor pairs that a threshold accepts at least, or nothing is told at its rate."""
RATES: Final = (0.1, 0.01, 0.001)
"""False-positive rates at which the true-positive rate is taken (Carlini et al., S&P 2022)."""
SHOTS: Final = (1, 5, 20)
"""Rows of one person that are read together."""


class Estimate(Frozen):
    """A figure on the test rows with its 95 % bootstrap interval."""

    value: Number
    low: Number
    high: Number


class AttackerResult(Frozen):
    """One attacker, trained from scratch on one preprocessing of the representation."""

    name: Text
    """`logistic`, `mlp`, …"""
    view: str
    """Preprocessing: `standardised`, `whitened`, or `both` for the ensemble."""
    select: MaybeNumber
    """The metric on the selection split; it decides which attacker is the headline."""
    figures: dict[str, Estimate]
    """On the test split, of the attacker fitted on the training split alone; those of the strongest, fitted again, are
    the measurement's. By name: `balanced_accuracy`, `auroc` (mean over classes of one against the others; .5 is a
    guess) and `bits` (usable information, H(v) − CE; negative for an attacker worse than the class frequencies), or
    `r2` and `mae` (in the attribute's unit). Empty for an attacker that could not run."""
    failure: Text | None = None
    """Why the attacker could not run."""
    rows: int | None = None
    """Training rows that it learned from: fewer than there are where it takes no more; null for the ensemble."""


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
    strongest: Text
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
    attacker: Text
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


class CurvePoint(Frozen):
    """What an attacker reads that learned from so many rows."""

    rows: int
    figure: Estimate


class LearningCurve(Frozen):
    """One attacker, fitted on nested parts of the rows that fit, and read on the test rows each time."""

    attacker: Text
    """`name on view`."""
    points: list[CurvePoint] = Field(min_length=2)
    """By rows; each doubles the rows of the one before."""
    gain: Estimate
    """Of the last doubling, paired on the same resamples."""


PLANTED_DRAWS: Final = {1: (2, 1), 2: (4, 2)}
"""By the planted excess in limits, of the limit's own size and of the size that a pass must exclude: labels drawn, with
fewer test rows than MANY and with more."""
PLANTED_MANY: Final = 30_000
"""Test rows from which on a single draw tells enough."""
PLANTED_MOST: Final = 0.98
"""Of the metric: nothing beyond it is planted."""
PLANTED_ROOM: Final = 0.5
"""The share of the excess asked for that has to find room in the features."""


class Spike(Frozen):
    """A leak that was planted in these very features, and what the attackers read of it.

    A label is drawn whose dependence on the features is known; it leans on the predicted task label as the attribute
    does. Figures are excesses over that floor, in the metric.
    """

    kind: Literal["linear", "quadratic"]
    """Along random directions, or by a random quadratic form, of the whitened features."""
    planted: Number
    """What the best possible attacker reads."""
    read: Number
    """What the attackers read, mean over the draws."""
    draws: int
    """Labels drawn."""
    attackers: list[Text]
    """Who read them."""

    @property
    def share(self) -> float:
        """The share of it that they recovered."""
        return max(0.0, self.read) / self.planted


class ClassRecall(Frozen):
    """How well the strongest attacker recognises one class."""

    name: str
    recall: Estimate | None
    """Share of its test rows that are named as this class; null where it has too few test groups to tell of."""


class TruePositives(Frozen):
    """What a cautious attacker finds, who looks for one class and names it only where that is hardly ever wrong."""

    wanted: str
    """The class looked for."""
    false_positive_rate: Share
    """Share of the other class's test rows that may be named wrongly, at most."""
    rate: Estimate | None
    """Share of the wanted class's test rows that are named; null where there are too few rows of either class."""


class Exposure(Frozen):
    """Who is read: figures of the strongest attacker by class, since a mean can hide a few who are read with certainty.

    Of test rows, with intervals over groups that are no narrower than Wilson's for a share of so many groups.
    """

    recalls: list[ClassRecall]
    """In the order of the classes."""
    found: list[TruePositives] = []
    """Of binary attributes: each class as the one looked for, at each false-positive rate."""


class Shots(Frozen):
    """What the strongest attacker reads of a person of whom it has several rows, its log-likelihood ratios summed."""

    rows: int
    """Rows of each person, drawn by the seed from those that have as many, and one class alone."""
    people: int
    """Groups of the test rows that the figure is a mean over."""
    figure: Estimate
    """Balanced accuracy over people; its threshold was fitted on the people of the selection rows."""


Draws = list[Number | None]
"""A figure on each bootstrap resample of the test groups, to four digits; null where it could not be taken.

Two audits of the same rows with the same seed drew the same groups, so that their difference has an interval of its
own. A draw is a mean over rows of people drawn at random: it tells nothing of a row to who does not have the rows.
"""


class Measurement(Frozen):
    """Leakage of one attribute at one layer, with the references that every figure has to be read against.

    Figures are named as in audit.evidence.metric: of classes `balanced_accuracy`, `auroc`, `bits` and `given_task`
    (bits that the representation adds to the true task label, CE(v|y) − CE(v|z,y); absent without a task); of a
    quantity `r2` and `mae`.
    """

    metric: MetricName
    """What the verdict is on."""
    width: int
    """Features per row that the attackers see."""
    constant: bool = False
    """Whether the layer gives the same vector for every audited row: there is nothing to read then."""
    mean_hides: bool = False
    """Whether the layer has positions of whose mean these features are, while the model takes more of them, or may."""
    rows_seen: bool = False
    """Whether the rows have the labels and groups, row by row, of those that a removal trained on: likely the same."""
    projected_from: int | None = None
    """Width before the random projection that made it `width`, or null where there was none."""
    missing: int = 0
    """Rows without a value of this attribute; no attacker saw them."""
    left_out: Cells = {}
    """Classes that were too rare to audit, and their rows; null where the count is withheld."""
    merged: Cells = {}
    """Classes that were too rare to audit alone and were merged into one, and their rows, likewise."""
    classes: list[ClassRows] = Field(min_length=1)
    """Rows of each class; a quantity has one entry, named as the attribute, of the rows with a value."""
    baseline: dict[str, Number]
    """What a guess scores: `balanced_accuracy` 1 / k, or `r2` 0 and the `mae` of the median of the training rows."""
    entropy: Number | None = None
    """H(v) on the test rows, in bits: the most there is to learn; null for a quantity."""
    attackers: list[AttackerResult]
    strongest: Text
    """`name on view` of the attacker that was strongest on the selection split, or the ensemble's name; the figures
    below are its own, fitted again on the training and the selection split."""
    figures: dict[str, Estimate]
    """Of the strongest attacker, on the test split."""
    floor: dict[str, Estimate]
    """Task-label baseline: the best attacker that sees the predicted task label alone; a guess without a task, or
    where the label shows no dependence on the attribute."""
    ceiling: Ceiling | None = None
    """Input control; null where there is no raw input, or it was not asked for."""
    null: NullBand
    excess: Estimate
    """Excess leakage: the metric − its floor, paired on the same resamples."""
    resolution: Number
    """Half-width of a 95 % interval at the floor with these test rows: smaller leaks cannot be resolved."""
    curves: list[LearningCurve] = []
    """Of the strongest attackers; none in evidence of before they were taken."""
    spikes: list[Spike] = []
    """Planted leaks of the size of the limit and of twice that; none in evidence of before, and at a limit of 0."""
    room: bool | None = None
    """Whether the features had room for every leak that was to be planted; null in evidence of before."""
    exposure: Exposure | None = None
    """Who is read; null for a quantity, and in evidence of before it was taken."""
    shots: list[Shots] = []
    """With 1, 5 and 20 rows of one person; none where no groups have several rows, or too few of them have."""
    at_best: Estimate | None = None
    """Of an attribute to keep: what could be kept of it at best, in AUROC or R², by a release of these features that
    tells nothing of the private attributes beyond the predicted task label; null of a private one, and in evidence of
    before."""
    held: int | None = None
    """Labelled rows that there are: more than fit, select and test where --fit-rows or --test-rows drew fewer; null in
    evidence of before."""
    draws: dict[str, Draws] = {}
    """Of the metric, of `auroc` or `mae`, and of `excess`."""

    @property
    def kind(self) -> Metric:
        """How the metric is named and written."""
        return METRICS[self.metric]

    @property
    def score(self) -> Estimate:
        """The metric of the strongest attacker."""
        return self.figures[self.metric]

    @property
    def floor_score(self) -> Estimate:
        """The metric of the task-label baseline."""
        return self.floor[self.metric]

    @property
    def guess(self) -> float:
        """The metric of a guess."""
        return self.baseline[self.metric]

    @property
    def test_rows(self) -> int:
        """Rows that the figures rest on."""
        return sum(one.test for one in self.classes)

    @property
    def train_rows(self) -> int:
        """Rows that fit attackers, those of no more rows left aside."""
        return sum(one.train for one in self.classes)

    @property
    def rows(self) -> int:
        """Labelled rows that were used in all: those that fit, select and test."""
        return sum(one.train + one.select + one.test for one in self.classes)

    @model_validator(mode="after")
    def _every_figure_is_there(self) -> Self:
        kind, ran = METRICS[self.metric], [one for one in self.attackers if one.failure is None]
        wanted: list[tuple[set[str], Collection[str]]] = [({*kind.figures}, self.figures.keys())]
        wanted += [({*kind.floor}, self.floor.keys()), ({*kind.baseline}, self.baseline.keys())]
        wanted += [({*kind.figures}, one.figures.keys()) for one in ran]
        for names, given in wanted:
            if absent := sorted(names.difference(given)):
                raise ValueError(f"{absent[0]} is missing")
        known = {*kind.figures, GIVEN_TASK} if kind.percent else {*kind.figures}
        for figures in (self.figures, self.floor, *(one.figures for one in self.attackers)):
            if strange := sorted(figures.keys() - known):
                raise ValueError(f"{strange[0]!r} is no figure of {kind.title}")
        if kind.percent == (self.entropy is None):
            raise ValueError(f"entropy does not go with {kind.title}")
        return self


class SeveralReleases(Frozen):
    """What no attacker can exceed who has several releases of one person."""

    releases: int
    balanced_accuracy: Share
    """Of any attacker whatever, at most, if the releases are independent of each other given the attribute."""


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
    several: list[SeveralReleases] = []
    """Of binary attributes: the bound on who has 5 and 20 releases; none in evidence of before."""


class Decision(Frozen):
    """The verdict on a private attribute's excess leakage."""

    limit: Share
    """Tolerance: the largest excess that passes."""
    verdict: Verdict
    reason: str
    """One sentence: why this verdict, and what would settle an open one."""


Role = Literal["private", "retained"]


class Finding(Frozen):
    """One attribute at one layer: what was measured and, of a private one, what was decided."""

    role: Role
    attribute: str
    """A column's name, or several joined by `+` for their intersection."""
    layer: str
    """A dotted module name; `name:input` is what that module is given; `logits` is the model's output."""
    measurement: Measurement
    decision: Decision | None = None
    """Null for a retained attribute: it has no limit."""
    where: Where | None = None
    """Null where it was not asked for."""
    certificate: Certificate | None = None
    """Upper bound on any attacker; null where the layer gives no finite code, and for quantities."""
    densities: Densities | None = None
    """Where the test rows of each class of a private attribute lie; null for quantities, where every class has too few
    people, and in evidence of before."""

    @property
    def decided(self) -> Decision:
        """The decision on a private attribute."""
        if self.decision is None:
            raise ValueError(f"{self.attribute!r} is retained: no verdict is put on it")
        return self.decision

    @model_validator(mode="after")
    def _private_is_decided(self) -> Self:
        if (self.role == "private") != (self.decision is not None):
            raise ValueError("a private attribute has a decision, and no other has one")
        return self


class Accepted(Frozen):
    """The share of genuine pairs that a threshold accepts which hardly accepts an impostor (TAR at FAR)."""

    false_accept_rate: Share
    """Share of the impostor pairs that are accepted, at most."""
    rate: Estimate | None
    """Share of the genuine pairs that are accepted; null where there are too few impostor pairs to tell."""

    @property
    def name(self) -> str:
        """What its draws are called: `tar@0.001`."""
        return f"tar@{self.false_accept_rate:g}"


class Verification(Frozen):
    """How well people are told apart at one layer, by the cosine similarity of two test rows.

    Genuine pairs are of one person, impostor pairs of two; every pair counts alike. Nothing was fitted for it.
    """

    layer: str
    identity: Text
    """The column of people."""
    among: Text | None
    """The private attribute whose class impostor pairs share: it tells no such pair apart. Null: all pairs."""
    people: int
    """Test people with two rows or more."""
    rows: int
    """Test rows whose person is known."""
    genuine: int
    """Genuine pairs that were compared."""
    genuine_held: int
    """Genuine pairs that there are: more where so many were drawn."""
    impostor: int
    impostor_held: int
    auc: Estimate
    """Share of (genuine, impostor) in which the genuine pair is more alike; a tie counts half, .5 is a guess."""
    eer: Estimate
    """Error at the threshold where as large a share of impostors is accepted as of genuine pairs refused."""
    accepted: list[Accepted]
    draws: dict[str, Draws] = {}
    """Of `auc`, `eer`, and `tar@…` at each rate that is told: of people, as of the findings."""

    @property
    def figures(self) -> dict[str, Estimate]:
        """Every figure that there is, by the name of its draws."""
        return {"auc": self.auc, "eer": self.eer} | {one.name: one.rate for one in self.accepted if one.rate}


def resolves(impostor: int, rate: float) -> bool:
    """Return whether so many impostor pairs can tell of a false-accept rate."""
    return impostor * rate >= RESOLVED - 1e-9

"""The evidence of one audit: frozen, versioned, and the only thing that reports are made from.

Every figure carries what it has to be read against. Shares lie in [0, 1]; information is in bits.
"""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NoReturn, Self

from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from audit.atomic_write import refuse_unless
from audit.errors import EvidenceError, require_kind
from audit.evidence.findings import Draws, Estimate, Finding, Verification
from audit.evidence.json_file import (
    Frozen,
    Number,
    Options,
    Share,
    Text,
    parse,
    parsed,
    read_json,
    require_digest,
    sealed,
    write_model,
)
from audit.evidence.method_card import MethodCard
from audit.evidence.upgrades import UPGRADES
from audit.evidence.watched import Watched

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Final = "3"
FIRST_SEALED: Final = "2"
"""The first schema whose evidence carries a digest."""
SIDECAR_VERSION: Final = "1"
WHAT: Final = "an audit's evidence"
KEYS: Final = frozenset({"schema_version", "command", "checkpoint", "data", "task", "protocol", "versions"})
"""Some of those that evidence of every schema has."""


class Task(Frozen):
    """What the model is for, and how well it does it on the same test rows."""

    title: ClassVar = "accuracy"
    """What `score` is called."""
    nothing: ClassVar = "always answering the most frequent class"
    """Who knows nothing, in words."""
    percent: ClassVar = True
    """Whether it is written as a percentage, or as a decimal."""
    name: str
    classes: list[str]
    accuracy: Estimate
    balanced_accuracy: Estimate
    chance: Share
    """Accuracy of always answering the most frequent class."""
    missing: int = 0
    """Audited rows without a value of the task."""
    accuracy_draws: Draws = []
    guess: Share | None = None
    """Balanced accuracy of a guess: 1 / the classes that test rows have; null in older evidence."""
    answered: int | None = None
    """Distinct classes that the model answered on the test rows; null in older evidence."""

    @property
    def is_at_chance(self) -> bool:
        """Whether accuracy is not above that of the most frequent class, and balanced accuracy not above a guess.

        By the intervals of both: a model made for rare classes may be less often right than who names the common one.
        """
        guess = 1 / len(self.classes) if self.guess is None else self.guess
        return self.accuracy.low <= self.chance and self.balanced_accuracy.low <= guess

    @property
    def told(self) -> str:
        """The classes, in words."""
        return ", ".join(self.classes)

    @property
    def score(self) -> Estimate:
        """What the task is measured by."""
        return self.accuracy

    @property
    def score_draws(self) -> Draws:
        """The score on each resample."""
        return self.accuracy_draws

    @property
    def level(self) -> float:
        """The score of who knows nothing."""
        return self.chance

    @property
    def answers(self) -> int:
        """How many classes the model answers, at most."""
        return max(self.answered or len(self.classes), 1)


class QuantityTask(Frozen):
    """What a model is for that predicts a quantity, such as an age, and how near it comes on the same test rows."""

    title: ClassVar = "R²"
    nothing: ClassVar = "answering the mean"
    percent: ClassVar = False
    told: ClassVar = "a quantity"
    level: ClassVar = 0.0
    name: str
    r2: Estimate
    mae: Estimate
    """Mean absolute error, in the column's unit."""
    mae_of_median: Number
    """That of always answering the median of the test rows."""
    rows: int
    """Test rows with a value."""
    missing: int = 0
    """Audited rows without a value of the task."""
    r2_draws: Draws = []
    answered: int
    """Distinct numbers that the model answered on the test rows."""
    bins: dict[str, int] = {}
    """Per audited attribute: into how many the prediction was cut, at its quantiles, for the task-label baseline, and
    the true value for what the representation adds to it."""

    @property
    def is_at_chance(self) -> bool:
        """Whether R² is not above that of answering the mean, by its interval."""
        return self.r2.low <= 0

    @property
    def score(self) -> Estimate:
        """What the task is measured by."""
        return self.r2

    @property
    def score_draws(self) -> Draws:
        """The score on each resample."""
        return self.r2_draws

    @property
    def accuracy(self) -> NoReturn:
        """None: a number is not right or wrong; nor is there what follows."""
        raise self._has_no("accuracy")

    @property
    def balanced_accuracy(self) -> NoReturn:
        """None."""
        raise self._has_no("balanced accuracy")

    @property
    def classes(self) -> NoReturn:
        """None."""
        raise self._has_no("classes")

    @property
    def chance(self) -> NoReturn:
        """None."""
        raise self._has_no("most frequent class")

    @property
    def guess(self) -> NoReturn:
        """None."""
        raise self._has_no("guess")

    def _has_no(self, what: str) -> EvidenceError:
        return EvidenceError(
            f"The task {self.name!r} is a quantity and has no {what}. Ask for `score`, which every task has, or for "
            "`r2` and `mae`."
        )


def _kind_of_task(content: object) -> str:
    """Return which task it is, by a figure that the other has not; classes have no name in errors."""
    return "quantity" if hasattr(content, "r2") or (isinstance(content, dict) and "r2" in content) else ""


AnyTask = Annotated[Annotated[Task, Tag("")] | Annotated[QuantityTask, Tag("quantity")], Discriminator(_kind_of_task)]


class Epoch(Frozen):
    """Mean losses of one epoch of fine-tuning."""

    task_loss: Number
    """Cross-entropy, in nats; without a task, the loss of what is kept (`geometry`)."""
    penalty: dict[str, Number]
    """Per attribute: what the method minimises, before its weight."""
    task_accuracy: Number | None = None
    """Balanced accuracy of the task, or R² of a quantity, on rows held out from training."""
    fresh: dict[str, Number] = {}
    """Per attribute: balanced accuracy of quick attackers, trained from scratch on held-out rows."""
    kept: dict[str, Number] = {}
    """Per attribute to keep: AUROC of a quick linear probe on held-out rows."""
    geometry: Number | None = None
    """Without a task: correlation of the cosine similarities of held-out rows with those of the untouched model, or
    AUC of verification where identities are kept."""


class Sanitizing(Frozen):
    """What the sanitizer says it did; its own head's figures are no evidence of removal."""

    method: Text
    card: MethodCard | None = None
    """How the method introduces itself; null where its module declares no card, or the file is an older one."""
    settings: Options
    layer: str
    """The bottleneck that was worked on."""
    parent_sha256: str
    """Of the checkpoint that was fine-tuned."""
    trace: list[Epoch]
    chosen: int | None = None
    """Which epoch of the trace the weights are of, from 0, by the task and a quick fresh audit on held-out rows."""
    release: Literal["code", "map"] | None = None
    """The module at the bottleneck since: a finite code, a map (an affine one or a residual network), or none."""
    notes: list[Text] = []
    """What to know before the result is given away."""
    head_accuracy: dict[str, Share | None]
    """Per attribute: balanced accuracy of the head in the training loop, on rows held out from it; null
    for a method without one."""
    head_rows: int
    data_fingerprint: str
    """SHA-256 over labels and groups of the rows that the sanitizer saw, in order; not over their inputs."""
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
    """The column of groups (a person, a source image), or null if every row is a group of its own."""
    unreadable: int = 0
    """Rows whose input could not be read; nothing saw them."""
    copies: int = 0
    """Rows with the very input, or the very features, of a row of another group."""
    copies_joined: bool | None = None
    """Whether groups that share an input were joined; null where there are no copies, and in evidence of before."""
    train: Split
    select: Split
    test: Split


class Protocol(Frozen):
    """How it was measured."""

    seed: int
    attackers: list[Text]
    views: list[str] = Field(min_length=1)
    bootstrap: int
    null_refits: int
    fit_rows: int | None
    """At most this many rows fit an attacker; null: all."""
    test_rows: int | None = None
    """At most this many rows test an attacker; null: all."""
    null_rows: int
    """At most this many rows fit an attacker on shuffled labels."""
    min_class: int = 10
    """A class with fewer rows than this in one of the splits is too rare to audit."""
    merge_rare: str | None = None
    """The class that rare classes were merged into; null where they were left out."""
    pool: str
    """How maps and token sequences become one vector a row."""
    limit: Share
    limit_set_by: Literal["user", "default"]
    private: list[str] | None = None
    """Attributes that should not leak, as they were asked for; null in evidence of before."""
    keep: list[str] | None = None
    """Attributes that should stay, likewise."""

    @property
    def rare_set_by_user(self) -> bool:
        """Whether somebody chose what becomes of rare classes."""
        return self.merge_rare is not None or self.min_class != Protocol.model_fields["min_class"].default


class AuditResult(Frozen):
    """One audit: the contract between the three packages."""

    schema_version: Literal["3"] = SCHEMA_VERSION
    digest: str | None = None
    """SHA-256 over all the rest of the file (audit.evidence.json_file.digest): an edit is seen. It is no signature."""
    created: str
    """UTC, ISO 8601."""
    command: Text
    checkpoint: Checkpoint
    data: DataRows
    task: AnyTask | None
    """Null where no task was named, or nothing predicts it."""
    protocol: Protocol
    findings: list[Finding]
    """Private attributes with their verdicts, and retained ones."""
    verifications: list[Verification] = []
    """How well people are told apart at each layer; none where no identities were named, and in older evidence."""
    watched: list[Watched] = []
    """Attributes that nobody asked to keep, read by a linear attacker; none where none was to be watched."""
    warnings: list[Text]
    versions: dict[str, str]
    device: str
    _is_older: bool = PrivateAttr(default=False)

    @property
    def is_older(self) -> bool:
        """Whether the file that it was read from is of an older schema; nothing in the file's text can say so."""
        return self._is_older

    @property
    def private(self) -> list[Finding]:
        """The attributes that should not leak."""
        return [one for one in self.findings if one.role == "private"]

    @property
    def retained(self) -> list[Finding]:
        """The attributes that should stay."""
        return [one for one in self.findings if one.role == "retained"]

    @property
    def tested(self) -> int:
        """Test rows that figures rest on, at most: fewer than are held where --test-rows drew fewer."""
        return max(one.measurement.test_rows for one in self.findings)

    def find(self, attribute: str, layer: str) -> Finding | None:
        """Return the finding of one attribute at one layer, if it is here."""
        return next((one for one in self.findings if (one.attribute, one.layer) == (attribute, layer)), None)

    def to_frame(self) -> "pd.DataFrame":
        """Return a row for each finding: its figures with the ends of their 95 % intervals (`low`, `high`).

        Shares are in [0, 1], information in bits; a figure that the metric does not have is NaN.
        """
        from audit.evidence.notebook import frame  # noqa: PLC0415 - pandas, which a report does without

        return frame(self)

    @model_validator(mode="after")
    def _measured_something(self) -> Self:
        if not self.private:
            raise ValueError("no private attribute was measured")
        return self

    def _repr_html_(self) -> str:
        """Return the table that a notebook shows for this audit."""
        from audit.evidence.notebook import card  # noqa: PLC0415 - the table is made from evidence, not the other way round

        return card(self)


def as_audit(given: AuditResult | str | PathLike[str]) -> AuditResult:
    """Return an audit: itself, or the evidence that a path names; raise an EvidenceError for anything else."""
    if isinstance(given, str | PathLike):
        return read_audit(given)
    require_kind(given, AuditResult, "The audit is", "Give what irene.audit returned, or its file.", EvidenceError)
    return given


def write_audit(result: AuditResult, path: str | PathLike[str]) -> None:
    """Write the evidence of an audit with its digest, whole or not at all.

    Raises:
        IreneError: The file cannot be written, or is there already and no evidence of an audit.
    """
    require_kind(result, AuditResult, "The audit is", "Give what irene.audit returned.", EvidenceError)
    _require_path(path)
    refuse_unless(is_own, Path(path))
    write_model(sealed(result), Path(path))


def is_own(path: Path) -> bool:
    """Return whether a file is the evidence of an audit, of any schema: not a sweep's, a record or other JSON."""
    try:
        content = read_json(path, WHAT)
        _require_audit(content, path)
    except EvidenceError:
        return False
    return content.keys() >= KEYS


def read_audit(path: str | PathLike[str], *, allow_unsealed: bool = False) -> AuditResult:
    """Read the evidence that `irene audit` wrote, of this schema or an older one, unchanged since by its own digest.

    `allow_unsealed` also reads a schema that had no digest yet; a warning of the result then says so.

    Raises:
        EvidenceError: No such file, no JSON, another schema version, a field that is missing or wrong, or a digest that
            is of other content or is missing.
    """
    _require_path(path)
    place = Path(path)
    content = read_json(place, WHAT)
    _require_audit(content, place)
    result = parsed_audit(content, place)
    unsealed = require_digest(content, place, FIRST_SEALED, allow_unsealed=allow_unsealed)
    return result.model_copy(update={"warnings": [*result.warnings, unsealed]}) if unsealed else result


def parsed_audit(content: dict[str, object], path: Path, what: str = WHAT) -> AuditResult:
    """Return what was read of `path` as an audit, marked where it is of an older schema, or raise an EvidenceError."""
    result = parsed(AuditResult, content, path, what, SCHEMA_VERSION, UPGRADES)
    result._is_older = content["schema_version"] != SCHEMA_VERSION
    return result


def _require_path(path: object) -> None:
    if not isinstance(path, str | PathLike):
        raise EvidenceError(f"Evidence is named by its path, and this is of type {type(path).__name__}. Name a file.")


def _require_audit(content: Mapping[str, object], path: Path) -> None:
    """Refuse other files of irene's for what they are."""
    if "sanitizing" in content and "leakage" not in content:
        raise EvidenceError(
            f"{path} is the record that irene sanitize left beside a checkpoint; it is no evidence. Audit the "
            "checkpoint, and give the file that irene audit writes."
        )
    if "setup" in content and "points" in content:
        raise EvidenceError(
            f"{path} is a sweep, and the audit of one checkpoint is wanted. Make its page by irene report, sanitize by "
            "the settings that you choose there, and audit the result."
        )


def sidecar(path: Path) -> Path:
    """Return the path of the record of a sanitized checkpoint: beside it."""
    return path.with_name(path.name + ".json")


def read_sidecar(path: Path) -> Sidecar:
    """Read the record that `irene sanitize` left beside a checkpoint, or raise an EvidenceError."""
    return parse(Sidecar, path, "a sanitizer's record", SIDECAR_VERSION)

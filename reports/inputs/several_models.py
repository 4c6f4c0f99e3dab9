"""Several audits of different checkpoints on the same rows: which model is which, and that they may stand together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult
from audit.evidence.findings import Finding
from audit.evidence.json_file import without_places
from audit.evidence.numbers import hexdigits, one_line, shorten
from reports.inputs.comparability import refuse_unlike
from reports.inputs.comparison import Comparison, Pair, Reading, compare, place


@dataclass(frozen=True)
class Model:
    """One of the checkpoints."""

    number: int
    """From 1, in the order they were given; it ranks nothing."""
    evidence: str
    """What its evidence is called."""
    audit: AuditResult
    comparison: Comparison
    """The audit, alone."""

    @property
    def name(self) -> str:
        """What it is called on the page: files of two models may have the same name."""
        return f"{self.number} {shorten(self.audit.checkpoint.file)}"


@dataclass(frozen=True)
class Several:
    """One attribute at one layer, in every model."""

    readings: tuple[tuple[Model, Reading], ...]

    @property
    def first(self) -> Finding:
        """What was found in the first model."""
        return self.readings[0][1].found


@dataclass(frozen=True)
class Models:
    """Audits that measured the same thing on different checkpoints."""

    models: tuple[Model, ...]
    private: tuple[Several, ...]
    retained: tuple[Several, ...]

    @property
    def measured(self) -> tuple[Several, ...]:
        """Private attributes, and those that should stay readable."""
        return *self.private, *self.retained

    @property
    def has_bounds(self) -> bool:
        """Whether any model has a bound on every attacker."""
        return any(one.certificate for model in self.models for one in model.audit.private)


def gather(audits: Mapping[str, AuditResult]) -> Models:
    """Put audits of different checkpoints side by side.

    Args:
        audits: Two at least, each by the name of its evidence.

    Raises:
        EvidenceError: There is only one, two are of the same checkpoint, they differ in rows, splits, protocol, task or
            attributes, or a PASS does not follow from its own figures.
    """
    if len(audits) < 2:
        raise EvidenceError("Models are compared by the audits of two or more of them. Give another one.")
    for (name, one), (other, another) in combinations(audits.items(), 2):
        if one.checkpoint.sha256 == another.checkpoint.sha256:
            raise EvidenceError(
                f"{one_line(name)} and {one_line(other)} audit the same checkpoint (SHA-256 "
                f"{hexdigits(one.checkpoint.sha256)}). Give one audit of each model."
            )
    first, *others = audits
    for other in others:
        _refuse_unlike(first, audits[first], other, audits[other])
    models = tuple(
        Model(number, without_places(name), audit, _alone(name, audit))
        for number, (name, audit) in enumerate(audits.items(), 1)
    )
    return Models(
        models,
        private=tuple(_several(models, lambda comparison: comparison.pairs)),
        retained=tuple(_several(models, lambda comparison: comparison.retained)),
    )


def _refuse_unlike(name: str, one: AuditResult, other: str, another: AuditResult) -> None:
    """Refuse two audits that did not measure the same thing; which of them is the older does not matter here."""
    made = one.checkpoint.sanitizing
    is_child = made is not None and made.parent_sha256 == another.checkpoint.sha256
    before, after = (other, name) if is_child else (name, other)
    try:
        refuse_unlike(*((another, one) if is_child else (one, another)))
    except EvidenceError as error:
        raise EvidenceError(f"{one_line(before)} (before) beside {one_line(after)} (after): {error}") from None


def _alone(name: str, audit: AuditResult) -> Comparison:
    try:
        return compare(audit, None)
    except EvidenceError as error:
        raise EvidenceError(f"{one_line(name)}: {error}") from None


def _several(models: Sequence[Model], listed: Callable[[Comparison], Sequence[Pair]]) -> Iterable[Several]:
    """Yield each attribute at each layer of the first model, with what was found there in all."""
    for one in listed(models[0].comparison):
        yield Several(tuple((model, _like(one, listed(model.comparison))) for model in models))


def _like(like: Pair, pairs: Sequence[Pair]) -> Reading:
    return next(one.last for one in pairs if place(one.last.found) == place(like.last.found))

"""What a user may change about the measurement."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from audit.column_names import several, split_names
from audit.errors import (
    IreneError,
    as_float,
    is_share,
    require_flag,
    require_kind,
    require_known,
    require_number,
    require_seed,
    require_text,
    require_track,
)
from audit.evidence.audit_result import Checkpoint
from audit.evidence.verdict import FEWEST_RESAMPLES, LIMIT
from audit.parallel.backends import require_backend
from audit.progress import Track, untracked

OF_AUDIT = "Settings of the audit"
ATTACKERS = ("logistic", "products", "mlp", "rbf-svm", "knn", "boosted-trees")
"""Who attacks unless the user says otherwise."""


@dataclass(frozen=True)
class Settings:
    """Attackers, limit, seed and sizes."""

    attackers: str | Sequence[str] = ATTACKERS
    """Names of built-in ones, or `package.module:attribute` of your own; in a text with commas between them."""
    limit: float = LIMIT
    """Tolerance: largest excess over the floor that passes, of balanced accuracy or of R², in [0, 1]."""
    seed: int = 0
    bootstrap: int = 1000
    """Resamples of the test groups, 40 or more: of fewer, none lies beyond each end of an interval."""
    null_refits: int = 20
    """Attackers fitted on shuffled labels: their spread is the null's band."""
    fit_rows: int | None = None
    """At most this many rows fit an attacker, and as many choose among attackers, drawn evenly by class; None: all."""
    test_rows: int | None = None
    """At most this many rows test an attacker, drawn evenly by class; None: all."""
    budget: float | None = None
    """Seconds that attackers may take, about; where all rows would take longer, fewer fit them: as many as the pace of
    the machine allows. None: as long as it takes."""
    null_rows: int = 500
    """At most this many rows fit an attacker on shuffled labels."""
    min_class: int = 10
    """A class needs this many rows in each of the splits that fit, select and test; rarer ones are left out."""
    merge_rare: str | None = None
    """Merge classes that are too rare into one of this name, for instance "other", instead of leaving them out."""
    ceiling: bool = True
    """Whether the raw input is attacked too: the input control."""
    where: bool = False
    """Whether to tell which units, and where in the input, the strongest attacker reads."""
    keep_identity: str | None = None
    """Column of people: whether two rows are of one is measured on the test rows (audit.verification)."""
    watch: str | Sequence[str] = ()
    """Columns that nobody asked to keep, read by a linear attacker and without a verdict; "all": every other column."""
    device: str = "cpu"
    """What a user's own attacker is told to run on, if it asks."""
    backend: str = "threads"
    """Where attackers are fitted (audit.parallel.backends): "threads", "processes", "dask", "ray", or the address of a
    cluster, "dask://HOST:PORT" or "ray://HOST:PORT"; no figure depends on it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "attackers", split_names(self.attackers))
        object.__setattr__(self, "watch", tuple(several(self.watch)))
        require_backend(self.backend)
        least = {"bootstrap": FEWEST_RESAMPLES, "null_refits": 2, "fit_rows": 1, "test_rows": 1, "null_rows": 1}
        least |= {"min_class": 2, "seed": 0}
        optional = ("fit_rows", "test_rows")
        for name, few in least.items():
            given = getattr(self, name)
            if given is not None or name not in optional:
                require_number(f"{OF_AUDIT}: {name}", given, few)
                object.__setattr__(self, name, int(given))
        if self.budget is not None:
            require_number(f"{OF_AUDIT}: budget", self.budget, 1, whole=False)
            object.__setattr__(self, "budget", as_float(self.budget))
        require_seed(f"{OF_AUDIT}: seed", self.seed)
        if not is_share(self.limit):
            raise IreneError(f"{OF_AUDIT}: limit is {self.limit}. Give 0 to 1, 0.05 for five points.")
        object.__setattr__(self, "limit", as_float(self.limit))
        for name in ("ceiling", "where"):
            require_flag(f"{OF_AUDIT}: {name}", getattr(self, name))
        for name in ("merge_rare", "keep_identity"):
            require_text(f"{OF_AUDIT}: {name}", getattr(self, name))


def given_settings(settings: Settings | None) -> Settings:
    """Return the settings, or the defaults for None; raise an IreneError for anything else."""
    if settings is not None:
        require_kind(settings, Settings, "The settings are", "Give irene.Settings(limit=0.05), for instance.")
    return settings or Settings()


@dataclass(frozen=True)
class Provenance:
    """What only the caller knows of an audit, for its evidence; and where progress is shown."""

    checkpoint: Checkpoint | None = None
    """Where the model came from; a hash over its weights if not given."""
    command: str = ""
    notes: Sequence[str] = ()
    """What a reader should know beforehand."""
    limit_set_by: Literal["user", "default"] | None = None
    """None: the default limit was not chosen by anybody."""
    track: Track = untracked

    def __post_init__(self) -> None:
        if self.checkpoint is not None:
            require_kind(self.checkpoint, Checkpoint, "The checkpoint of the provenance is", "Leave it out.")
        require_kind(self.command, str, "The command of the provenance is", "Give a text.")
        object.__setattr__(self, "notes", tuple(several(self.notes, "A note")))
        if self.limit_set_by is not None:
            require_known("origin of a limit", self.limit_set_by, ("user", "default"))
        require_track(self.track)


def given_provenance(provenance: Provenance | None) -> Provenance:
    """Return the provenance, or one that says nothing for None; raise an IreneError for anything else."""
    if provenance is not None:
        require_kind(provenance, Provenance, "The provenance is", "Give irene.Provenance(command='…'), for instance.")
    return provenance or Provenance()

"""What a user may change about the measurement."""

import math
from dataclasses import dataclass

from audit.attackers.families import DEFAULT
from audit.errors import IreneError

LIMIT = 0.05


@dataclass(frozen=True)
class Settings:
    """Attackers, limit, seed and sizes."""

    attackers: tuple[str, ...] = DEFAULT
    limit: float = LIMIT
    """Largest excess over the floor that passes: of balanced accuracy, or of R²."""
    seed: int = 0
    bootstrap: int = 1000
    """Resamples of the test groups."""
    null_refits: int = 20
    """Attackers fitted on shuffled labels: their spread is the null's band."""
    fit_rows: int = 5000
    """At most this many rows fit an attacker, and at most this many choose among them."""
    test_rows: int = 10_000
    """At most this many rows test an attacker."""
    null_rows: int = 500
    """At most this many rows fit an attacker on shuffled labels."""
    ceiling: bool = True
    """Whether the raw input is attacked too."""

    def __post_init__(self) -> None:
        least = {"bootstrap": 2, "null_refits": 2, "fit_rows": 1, "test_rows": 1, "null_rows": 1}
        for name, few in least.items():
            if getattr(self, name) < few:
                raise IreneError(f"Settings of the audit: {name} is {getattr(self, name)}. Give {few} or more.")
        if not (math.isfinite(self.limit) and self.limit >= 0):
            raise IreneError(f"Settings of the audit: limit is {self.limit}. Give 0 or more, 0.05 for five points.")

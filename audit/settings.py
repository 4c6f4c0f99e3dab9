"""What a user may change about the measurement."""

from dataclasses import dataclass

from audit.probes import DEFAULT

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
    fit_rows: int = 5000
    """At most this many rows fit an attacker, and at most this many choose among them."""
    test_rows: int = 10_000
    """At most this many rows test an attacker."""
    null_rows: int = 500
    """At most this many rows fit an attacker on shuffled labels."""
    ceiling: bool = True
    """Whether the raw input is attacked too."""

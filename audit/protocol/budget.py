"""How many rows fit attackers within so many seconds: by the pace of a part of the work, on this machine, now."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from audit.attackers.learner import Matrix
from audit.protocol.leakage import measure
from audit.protocol.target import Target
from audit.settings import Settings

PROBE = 2_000
"""Rows that fit attackers in the part that is timed; fewer never do."""


def rows_within_budget(
    layers: Mapping[str, Matrix], make: Callable[[Settings], Target], attributes: int, rows: int, settings: Settings
) -> int | None:
    """Return how many rows may fit an attacker, of so many; `settings.fit_rows` if all of them, or no budget was set.

    One attribute at one layer is measured with PROBE rows; the rest is taken to cost as much a row.
    """
    most = min(rows, settings.fit_rows or rows)
    if settings.budget is None or most <= PROBE:
        return settings.fit_rows
    probing = replace(settings, fit_rows=PROBE)
    started = time.perf_counter()
    measure(next(iter(layers.values())), make(probing), probing)
    pace = (time.perf_counter() - started) * attributes * len(layers) / PROBE
    affordable = max(PROBE, int(settings.budget / pace) // 1000 * 1000)
    return settings.fit_rows if affordable >= most else affordable

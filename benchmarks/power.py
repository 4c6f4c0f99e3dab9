"""Is a PASS earned: is a leak of twice the limit let through, and are features that know nothing?

    python benchmarks/power.py --seeds 20 --sizes 500,2000,10000 --widths 8,64

Features of a known kind and width (benchmarks/leaks.py), the limit at its default of 5 points. Claims, for every cell:
a leak of 10 points gets PASS in at most 5 % of the seeds; features that know nothing get FAIL in at most 5 % and, with
10,000 rows or more of 64 features or fewer, PASS in at least 80 %; and the interval's upper end lies below the best
possible attacker in at most 5 % unless the learning curve or the planted leaks say that the figure is a lower bound.

Every figure goes to a file of JSON lines as it is made, and a run that was stopped goes on from there.
"""

import datetime
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from leaks import LEAKS, NOTHING, leak

from audit.data.columns import Column
from audit.environment import versions
from audit.errors import DataError
from audit.evidence.findings import Measurement
from audit.evidence.verdict import COMPLETE, LIMIT, growing, is_partial, judge
from audit.protocol.leakage import measure
from audit.protocol.splits import split_rows
from audit.protocol.target import make_target
from audit.settings import Settings

EXCESS = 2 * LIMIT
RUNS = Path(__file__).with_name("power.jsonl")
"""The runs behind the table in RESULTS.md."""


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Draw one sample and judge what is read of it."""
    n, d, seed = job["n"], job["d"], job["seed"]
    sample = leak(job["leak"], n, d, EXCESS, np.random.default_rng([seed, n, d]))
    column, settings = Column(sample.v, ("a", "b")), Settings(seed=seed, ceiling=False)
    started = time.process_time()
    try:
        target = make_target("v", column, split_rows(np.arange(n), [column], seed=seed), settings)
        found = measure(sample.z, target, settings).measurement
    except DataError as error:
        return job | {"refused": str(error)}
    decision = judge(found, settings.limit)
    return job | {
        "verdict": decision.verdict,
        "reason": decision.reason,
        "best": sample.best,
        "value": found.score.value,
        "high": found.score.high,
        "lower_bound": is_lower_bound(found, settings.limit),
        "strongest": found.strongest,
        "gain": max(curve.gain.value for curve in found.curves),
        "shares": {f"{one.kind} {100 * one.planted:.0f}": round(one.share, 3) for one in found.spikes},
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def is_lower_bound(measurement: Measurement, limit: float) -> bool:
    """Return whether curve or planted leaks say that an attacker with more rows would read more than was read here."""
    largest = {one.kind: one for one in sorted(measurement.spikes, key=lambda one: one.planted)}
    return growing(measurement, limit) is not None or any(map(is_partial, largest.values()))


def told(one: dict[str, Any]) -> bool:
    """Return whether an audit says that its figure is a lower bound, by today's share of a planted leak."""
    return bool(one["lower_bound"]) or min([*one["shares"].values()][1::2], default=1.0) < COMPLETE


def jobs(kinds: list[str], seeds: int, sizes: list[int], widths: list[int]) -> Iterator[dict[str, Any]]:
    """List what is to be measured, seed by seed."""
    for seed in range(seeds):
        for n in sizes:
            for d in widths:
                for kind in kinds:
                    yield {"leak": kind, "n": n, "d": d, "seed": seed}


def table(found: list[dict[str, Any]]) -> str:
    """Return the counts of every cell as a Markdown table."""
    lines = [
        "| leak | n | d | seeds | PASS | INCONCLUSIVE | FAIL | best possible | strongest attacker "
        "| planted and found: linear, quadratic | below the best in silence | CPU s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, n, d in sorted({(one["leak"], one["n"], one["d"]) for one in found if "verdict" in one}):
        own = [one for one in found if (one["leak"], one["n"], one["d"]) == (kind, n, d) and "verdict" in one]
        verdicts = [sum(one["verdict"] == verdict for one in own) for verdict in ("PASS", "INCONCLUSIVE", "FAIL")]
        shares = [np.mean([list(one["shares"].values())[place] for one in own]) for place in (1, 3)]
        silent = sum(one["high"] < one["best"] and not told(one) for one in own)
        cells = [
            kind,
            f"{n:,}",
            f"{d:,}",
            str(len(own)),
            *map(str, verdicts),
            f"{100 * np.mean([one['best'] for one in own]):.1f}",
            f"{100 * np.mean([one['value'] for one in own]):.1f}",
            ", ".join(f"{100 * share:.0f} %" for share in shares),
            str(silent),
            f"{np.mean([one['cpu_seconds'] for one in own]):.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.option("--leaks", default=",".join([NOTHING, *LEAKS]), show_default=True)
@click.option("--seeds", default=20, show_default=True)
@click.option("--sizes", default="500,2000,10000", show_default=True)
@click.option("--widths", default="8,64", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RUNS, show_default=True)
def main(leaks: str, seeds: int, sizes: str, widths: str, out: Path) -> None:
    """Measure what is not in the file yet, and print the table of all that is."""
    done = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
    known = {(one["leak"], one["n"], one["d"], one["seed"]) for one in done}
    for job in jobs(leaks.split(","), seeds, [*map(int, sizes.split(","))], [*map(int, widths.split(","))]):
        if tuple(job.values()) in known:
            continue
        one = run(job)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")
        done.append(one)
        click.echo(f"{job}: {one.get('verdict', 'refused')}", err=True)
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}; {', '.join(f'{name} {version}' for name, version in versions().items())}\n\n{table(done)}")


if __name__ == "__main__":
    main()

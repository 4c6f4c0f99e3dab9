"""Seconds and memory of an audit of many rows in shards: written, read, attacked, by one command.

    python benchmarks/scale.py --rows 200000 --width 256
    python benchmarks/scale.py --rows 1000000 --width 256 --backend processes
    python benchmarks/scale.py --paper     # what more rows and workers would take, computed and not measured

Rows are drawn from seed 0: normal features, of which two tell a binary attribute a little. Each row is a group of its
own, which is the most that resampling can meet. The
peak is the largest resident memory of any one process, mapped pages among it; `load` is how many jobs the machine had
on average in the minute before the end.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from audit.attackers.network import EPOCHS

SHARD = 50_000
"""Rows of a file."""


FIT, SELECT, TEST = 0.5, 0.2, 0.3
"""Shares of the rows that fit, choose and test attackers."""
RESAMPLES, FITS = 1001, 12
"""Resamples of the test rows, and fits of attackers that are held: the best of each on each of two preprocessings."""
LAYER = 256
"""Units of the wider perceptron."""


def on_disk(rows: float, width: float, workers: int) -> float:
    """Return the bytes of mapped files.

    Features: all, split, preprocessed twice, both splits of each, and those of a task; and draws of every test group, a
    byte each.
    """
    return 4 * rows * width * (1 + 1 + 2 + 2 * (FIT + SELECT) + workers * (FIT + SELECT)) + rows * TEST * RESAMPLES


def in_memory(rows: float) -> float:
    """Return the bytes that grow with the rows in the first process, each row a group of its own.

    They are what each fit said of two classes, as log-odds of the rows that choose and test and as chances of those
    that test; a hash of every row; and label, group, place and chances of two classes in doubles.
    """
    return rows * (FITS * ((SELECT + TEST) * 2 * 8 + TEST * (2 * 8 + 1)) + 32 + 8 * 8)


def largest_task(rows: float, width: float) -> float:
    """Return the multiplications of the longest fit, a perceptron's: forward, backward, and the gradient of weights."""
    return 3 * EPOCHS[0] * FIT * rows * LAYER * (width + 2)


def on_paper() -> None:
    """Print what some sizes would take."""
    print("| rows | width | workers | TMPDIR, GB | memory of the first process, GB | products in the longest fit |")
    print("|---|---|---|---|---|---|")
    for rows, width, workers in ((2e5, 256, 2), (1e6, 256, 2), (1e7, 256, 16), (1e8, 256, 16), (1e8, 1024, 64)):
        disk, memory = on_disk(rows, width, workers) / 1e9, in_memory(rows) / 1e9
        print(f"| {rows:,.0f} | {width} | {workers} | {disk:,.0f} | {memory:,.1f} | {largest_task(rows, width):.0e} |")


def write_shards(folder: Path, rows: int, width: int) -> int:
    """Write rows to Parquet files, and return their bytes."""
    generator = np.random.default_rng(0)
    for place, start in enumerate(range(0, rows, SHARD)):
        n = min(SHARD, rows - start)
        sex = generator.integers(0, 2, n)
        z = generator.normal(size=(n, width)).astype(np.float32)
        z[:, 0] += 0.2 * sex
        z[:, 1] *= 1 + 0.1 * sex
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(z.ravel()), width)
        names = np.array(["f", "m"])[sex]
        pq.write_table(pa.table({"z": vectors, "sex": names}), folder / f"part-{place:04}.parquet")
    return sum(one.stat().st_size for one in folder.iterdir())


def audited(folder: Path, backend: str) -> tuple[float, float, float, dict[str, object]]:
    """Audit the shards in a process of its own; return seconds, those of all cores, the peak in GB, the evidence."""
    output = folder.parent / "audit.json"
    command = [sys.executable, "-m", "irene", "audit", str(folder), "--private", "sex"]
    started = time.perf_counter()
    subprocess.run([*command, "--backend", backend, "-o", str(output)], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = spent.ru_maxrss * 1024 / 1e9
    found: dict[str, object] = json.loads(output.read_text(encoding="utf-8"))
    return seconds, spent.ru_utime + spent.ru_stime, peak, found


@click.command()
@click.option("--rows", type=click.IntRange(min=100), default=200_000, show_default=True)
@click.option("--width", type=click.IntRange(min=2), default=256, show_default=True)
@click.option("--backend", default="threads", show_default=True, help="As of irene audit.")
@click.option("--paper", is_flag=True, help="Compute what other sizes would take.")
def main(rows: int, width: int, backend: str, paper: bool) -> None:
    """Print one line of the table."""
    if paper:
        on_paper()
        return
    with tempfile.TemporaryDirectory() as folder:
        shards = Path(folder) / "emb"
        shards.mkdir()
        size = write_shards(shards, rows, width)
        seconds, computing, peak, found = audited(shards, backend)
    one = found["findings"][0]  # type: ignore[index]
    read, strongest = one["measurement"]["figures"]["balanced_accuracy"], one["measurement"]["strongest"]
    print(
        "| rows | width | files, GB | backend | cores | load | seconds | of the cores | peak, GB | read | strongest |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    print(
        f"| {rows:,} | {width} | {size / 1e9:.2f} | {backend} | {os.cpu_count()} | {os.getloadavg()[0]:.0f} "
        f"| {seconds:.0f} | {computing:.0f} | {peak:.2f} | {read['value']:.3f} [{read['low']:.3f}, {read['high']:.3f}] "
        f"| {strongest} |"
    )
    print(f"\n{platform.machine()}, {platform.system()}, seed 0, {time.strftime('%Y-%m-%d', time.gmtime())}")


if __name__ == "__main__":
    main()

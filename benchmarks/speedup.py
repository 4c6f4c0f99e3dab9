"""How much faster two workers are than one: an audit on Dask, extraction under torchrun, a sweep over processes.

    python benchmarks/speedup.py [--turns 3] [--of audit,extraction,sweep]

Seconds on the wall, of an idle machine of two cores or more, in turns of one and of two; what they wrote is compared,
times and command apart. Workers have one thread each.

- *audit*: one binary attribute of 200,000 × 256 embeddings in shards, all defaults, with `--backend dask`: a scheduler
  and one worker or two; the whole command, their start, its reading and its evidence with it.
- *extraction*: 6,000 images of 64 pixels through a ResNet-18, from the first batch to the joined rows, in one process
  or two of torchrun. Processes start and import before the clock does.
- *sweep*: 12 points (two methods, six weights) of the small network on digits, 30 epochs each, with attackers of one
  family; the whole command, the audit of the checkpoint before it with it.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import click
from removal import named
from scale import write_shards

ROOT = Path(__file__).parents[1]
KINDS = ("audit", "extraction", "sweep")
ROWS, WIDTH = 200_000, 256
"""Of the embeddings."""
DIGITS = ("--arch", "small-convnet", "--data", "digits", "--task", "digit")
SWEPT = ("--methods", "irene,gradient-reversal", "--weights", "0.25,0.5,1,2,4,8")
ALONE = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

Found = tuple[float, str]
"""Seconds, and a digest of what was written."""


def called(*command: str, **environment: str) -> str:
    """Run Python with a command in a process of its own, each with one thread, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command], env=ALONE | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise click.ClickException(done.stderr.strip().splitlines()[-1])
    return done.stdout


def written(path: Path) -> str:
    """Return a digest of evidence, but for when and by which command it was made."""
    found = json.loads(path.read_text(encoding="utf-8"))

    def plain(part: object) -> object:
        if isinstance(part, dict):
            return {
                name: plain(value)
                for name, value in part.items()
                if name not in {"command", "created", "digest", "calls", "audit_seconds", "train_seconds"}
            }
        return [plain(one) for one in part] if isinstance(part, list) else part

    return hashlib.sha256(json.dumps(plain(found), sort_keys=True).encode()).hexdigest()


def audit(folder: Path, workers: int) -> Found:
    """Audit the shards by a cluster of so many workers, which the command starts."""
    shards, output = folder / "emb", folder / "audit.json"
    if not shards.is_dir():
        shards.mkdir()
        write_shards(shards, ROWS, WIDTH)
    begin = time.perf_counter()
    command = ("-m", "irene", "audit", str(shards), "--private", "sex", "--backend", "dask", "-o", str(output))
    called(*command, LOKY_MAX_CPU_COUNT=str(workers))
    return time.perf_counter() - begin, written(output)


def extraction(images: int, processes: int) -> Found:
    """Extract in so many processes."""
    run = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes))
    seconds, digest = called(*(run if processes > 1 else ()), __file__, "--one", "--images", str(images)).split()
    return float(seconds), digest


def one(images: int) -> None:
    """Extract as one process of those that torchrun started; the first prints seconds and a digest of the rows."""
    import torch
    from torch import distributed as ranked
    from torchvision.models import resnet18

    from audit.data.labelled import labelled
    from audit.model.forward import Encoder
    from audit.model.representations import extract
    from audit.parallel.ranks import torchrun

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(images, 3, 64, 64)
    rows = labelled(x, {"v": (["a", "b"] * images)[:images]})
    model = resnet18(num_classes=2).eval()
    extract(Encoder(model), rows.limited(64, seed=0), ["fc:input"])  # what the first pass alone takes
    with torchrun() as ranks:
        if ranks is not None:
            ranked.barrier()
        begin = time.perf_counter()
        found = extract(Encoder(model, ranks=ranks), rows, ["fc:input"])
        seconds = time.perf_counter() - begin
        print(seconds, hashlib.sha256(found.z["fc:input"].tobytes()).hexdigest())


def sweep(folder: Path, workers: int) -> Found:
    """Sweep over so many processes, from nothing."""
    checkpoint, output = folder / "model.safetensors", folder / f"sweep-{time.monotonic_ns()}.json"
    if not checkpoint.exists():
        called(str(ROOT / "benchmarks" / "train.py"), *DIGITS, "--epochs", "5", "-o", str(checkpoint))
    options = (*DIGITS, "--private", "colour", *SWEPT, "--attackers", "logistic", "--backend", "processes")
    begin = time.perf_counter()
    command = ("-m", "irene", "sweep", str(checkpoint), *options, "-o", str(output))
    called(*command, LOKY_MAX_CPU_COUNT=str(workers))
    return time.perf_counter() - begin, written(output)


@click.command()
@click.option("--turns", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--of", "kinds", default=",".join(KINDS), show_default=True)
@click.option("--images", type=click.IntRange(min=2), default=6_000, show_default=True, help="That are extracted.")
@click.option("--one", "alone", is_flag=True, hidden=True)
def main(turns: int, kinds: str, images: int, alone: bool) -> None:
    """Take turns and print the ratios."""
    if alone:
        one(images)
        return
    asked = named(kinds, KINDS, "--of")
    runs: dict[str, Callable[[Path, int], Found]] = {
        "audit": audit,
        "extraction": lambda _, processes: extraction(images, processes),
        "sweep": sweep,
    }
    click.echo(
        "| what | one, s | two, s | median ratio | least, most | the same to the last bit |\n|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as place:
        for kind in asked:
            pairs = [(runs[kind](Path(place), 1), runs[kind](Path(place), 2)) for _ in range(turns)]
            ratios = [alone[0] / both[0] for alone, both in pairs]
            seconds = (f"{median(pair[side][0] for pair in pairs):.1f}" for side in (0, 1))
            alike = len({found[1] for pair in pairs for found in pair}) == 1
            click.echo(
                f"| {kind} | {' | '.join(seconds)} | {median(ratios):.2f} | {min(ratios):.2f}, {max(ratios):.2f} "
                f"| {'yes' if alike else 'NO'} |"
            )
    stamp = time.strftime("%Y-%m-%d", time.gmtime())
    click.echo(f"\n{platform.machine()}, {platform.system()}, {os.cpu_count()} cores, seed 0, {turns} turns, {stamp}")


if __name__ == "__main__":
    main()

"""What the way of a row costs: extraction of this checkout against another one, in turns of processes of their own.

    git worktree add ../before 3be42ea && python benchmarks/extraction.py --before ../before

Single tensors, as most models take them: 120,000 rows of 64 numbers through a small MLP, where the way of a row is all
that costs, and 1,200 images of 64 pixels through a ResNet-18. Processor seconds of one thread, so that other work on
the cores says little; the ratio of each pair of turns, and its median.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import click

ROOT = Path(__file__).parents[1]
KINDS = ("numbers", "images")


def one(kind: str) -> None:
    """Extract once, and print processor seconds and peak megabytes."""
    import torch
    from torch import nn
    from torchvision.models import resnet18

    from audit.data.labelled import labelled
    from audit.model import representations
    from audit.model.representations import extract

    try:
        from audit.model.forward import Encoder
    except ImportError:  # where it was before
        Encoder = representations.Encoder  # type: ignore[misc,attr-defined]  # noqa: N806
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(1_200, 3, 64, 64) if kind == "images" else torch.randn(120_000, 64)
    model: nn.Module = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
    model = resnet18(num_classes=2) if kind == "images" else model
    rows = labelled(x, {"v": ["a", "b"] * (len(x) // 2)})
    encoder, layer = Encoder(model.eval()), "fc:input" if kind == "images" else "2:input"
    extract(encoder, rows.limited(64, seed=0), [layer])
    begin = time.process_time()
    extract(encoder, rows, [layer])
    print(time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(checkout: Path, kind: str) -> tuple[float, float]:
    """Return seconds and megabytes of one extraction by a checkout."""
    place = os.environ | {"PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    called = [sys.executable, "-W", "ignore", __file__, "--one", kind]
    done = subprocess.run(called, cwd=checkout, env=place, capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes


@click.command()
@click.option("--before", type=click.Path(path_type=Path, exists=True), help="The other checkout.")
@click.option("--turns", default=5, show_default=True)
@click.option("--kinds", default=",".join(KINDS), show_default=True)
@click.option("--one", "alone", type=click.Choice(KINDS), hidden=True)
def main(before: Path | None, turns: int, kinds: str, alone: str | None) -> None:
    """Take turns and print the ratios."""
    if alone is not None:
        one(alone)
        return
    if before is None:
        raise click.UsageError("--before names the other checkout.")
    click.echo("| rows | this, s | before, s | median ratio of seconds | of peak memory |\n|---|---|---|---|---|")
    for kind in kinds.split(","):
        pairs = [(measured(ROOT, kind), measured(before.resolve(), kind)) for _ in range(turns)]
        own, other = ([pair[side] for pair in pairs] for side in (0, 1))
        seconds, memory = (median(a[part] / b[part] for a, b in pairs) for part in (0, 1))
        shown = (f"{median(each[0] for each in side):.2f}" for side in (own, other))
        click.echo(f"| {kind} | {' | '.join(shown)} | {seconds:.2f} | {memory:.2f} |")


if __name__ == "__main__":
    main()

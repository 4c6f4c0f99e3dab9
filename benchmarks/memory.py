"""Is memory bounded: the peak of an audit of many embeddings, and of an audit of many images at four layers.

    python benchmarks/memory.py

Claims: an audit of 200,000 × 512 embeddings through the command line, and an audit of 20,000 images at the four
stages of a ResNet-18, both with all defaults, each stay under 2 GB of resident memory, libraries included. Pages of
a mapped file count as resident, though the system takes them back when others need them. Every job runs in a
process of its own; each core that joblib may use adds one fit at a time to the peak (`taskset -c 0` gives it one).
"""

import csv
import datetime
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from torch import Tensor

EMBEDDINGS, WIDTH = 200_000, 512
IMAGES, SIDE = 20_000, 64
LAYERS = ("layer1", "layer2", "layer3", "layer4")
CLAIMED = 2000
"""MB, of 10⁶ bytes."""
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes that getrusage counts in."""
BLOCK = 10_000
"""Rows that are written in one go."""
SHIFT = 0.3
"""How far a label moves its feature or its channel, in deviations."""
OF_EMBEDDINGS, OF_IMAGES = "audit.cli.audit, audit.run, audit.data.sources.embeddings", "audit.run, torchvision.models"
"""What each job imports."""


@dataclass(frozen=True)
class Spent:
    """What one process took."""

    peak: float
    """Of its resident memory, in MB."""
    seconds: float


class Noise:
    """Images made from their position when they are asked for: noise, its red moved by v and its green by y."""

    def __init__(self, labels: Sequence[Sequence[int]]) -> None:
        self._labels = labels

    def __len__(self) -> int:
        """Return n."""
        return len(self._labels)

    def __getitem__(self, row: int, /) -> "Tensor":
        """Return one image, (3, SIDE, SIDE)."""
        import torch

        image = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(row))
        for channel, label in enumerate(self._labels[row]):
            image[channel] += SHIFT * label
        return image


def spend(*command: str) -> Spent:
    """Run a command in a process of its own, and return what that process took.

    A child counts what its parent held when it was started, so this process imports no large library before.

    Raises:
        click.ClickException: It failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"{' '.join(command)} ended with {process.returncode}.")
    return Spent(usage.ru_maxrss * UNIT / 1e6, time.perf_counter() - start)


def write_embeddings(folder: Path, rows: int) -> None:
    """Write embeddings.npy, whose first features tell a little of v and of y, and labels.csv with v, y, an answer."""
    import numpy as np

    generator = np.random.default_rng(0)
    z = np.lib.format.open_memmap(folder / "embeddings.npy", mode="w+", dtype=np.float32, shape=(rows, WIDTH))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["v", "y", "answer"])
        for start in range(0, rows, BLOCK):
            block = z[start : start + BLOCK]
            labels = generator.integers(2, size=(len(block), 2))
            block[:] = generator.standard_normal(block.shape, dtype=np.float32)
            block[:, :2] += SHIFT * labels
            answers = np.where(generator.random(len(block)) < 0.9, labels[:, 1], 1 - labels[:, 1])
            table.writerows(np.column_stack([labels, answers]).tolist())
    z.flush()


def audit_images(rows: int) -> None:
    """Audit images at four layers of a ResNet-18 with random weights."""
    import numpy as np
    import torch
    from torchvision.models import resnet18

    from audit.data.labelled import labelled
    from audit.run import audit

    torch.manual_seed(0)
    labels = np.random.default_rng(0).integers(2, size=(rows, 2))
    data = labelled(Noise(labels.tolist()), {"v": labels[:, 0], "y": labels[:, 1]})
    audit(resnet18(num_classes=2), data, private="v", task="y", layer=LAYERS)


@click.command()
@click.option("--scale", default=1.0, show_default=True, help="Share of the rows, to try it small.")
@click.option("--write", type=click.Path(path_type=Path), hidden=True, help="Job: write embeddings to this folder.")
@click.option("--images", is_flag=True, hidden=True, help="Job: audit images.")
def main(scale: float, write: Path | None, images: bool) -> None:
    """Run every job and print what it took; or be one of the jobs."""
    embeddings, pictures = round(scale * EMBEDDINGS), round(scale * IMAGES)
    if write:
        write_embeddings(write, embeddings)
    elif images:
        audit_images(pictures)
    else:
        compare(scale, embeddings, pictures)


def compare(scale: float, embeddings: int, pictures: int) -> None:
    """Run every job in a process of its own and print the table."""
    python, found = sys.executable, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spend(python, __file__, "--scale", str(scale), "--write", str(folder))
        paths = {"--table": folder / "labels.csv", "-o": folder / "audit.json"}
        columns = {"--private": "v", "--task": "y", "--predicted": "answer"}
        options = [str(part) for option in (paths | columns).items() for part in option]
        jobs = {
            f"{embeddings:,} × {WIDTH} embeddings": (
                OF_EMBEDDINGS,
                [python, "-m", "irene", "audit", str(folder / "embeddings.npy"), *options],
            ),
            f"{pictures:,} images of {SIDE} px at {len(LAYERS)} layers": (
                OF_IMAGES,
                [python, __file__, "--scale", str(scale), "--images"],
            ),
        }
        for told, (modules, command) in jobs.items():
            imports = f"import os, {modules}"
            at_once, at_end = spend(python, "-c", f"{imports}; os._exit(0)"), spend(python, "-c", imports)
            found[told] = (at_once, at_end, spend(*command))
    import joblib

    from audit.environment import versions

    today = datetime.datetime.now(datetime.UTC).date()
    packages = ", ".join(f"{package} {version}" for package, version in versions().items())
    click.echo(
        f"{today}, {platform.machine()}, {joblib.cpu_count()} CPU cores; {packages}; claimed: under {CLAIMED} MB"
    )
    click.echo("\n| audit of | after the imports, MB | imports and a clean exit, MB | peak, MB | seconds |")
    click.echo("|---|---|---|---|---|")
    for told, (at_once, at_end, spent) in found.items():
        click.echo(f"| {told} | {at_once.peak:.0f} | {at_end.peak:.0f} | {spent.peak:.0f} | {spent.seconds:.0f} |")


if __name__ == "__main__":
    main()

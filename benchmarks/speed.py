"""Is the audit quick: beside the bare forward pass that it needs, and with ten private attributes beside one.

    python benchmarks/speed.py --data-root ../shared/data/celeba
    python benchmarks/speed.py

Claims, for a ResNet-18 on 5,000 JPEG images at 224 pixels on the CPU: an audit with all defaults takes at most
1.25 times as long as decoding the images and running the model on them once; and ten private attributes take at
most twice as long as one. Bare passes and audits take turns in one process on the same threads (`taskset -c 0`
gives it one core), so that a machine that slows down shows. Without CelebA's official files, the same number of
images of the same size is made first, with labels that show in them.
"""

import datetime
import platform
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import click
import joblib
import numpy as np
import pandas as pd
import torch
from PIL import Image
from third_party import Joined
from torch import nn
from torchvision.models import resnet18

from audit.data.columns import Column, Ints
from audit.data.labelled import LabelledData, Part, labelled
from audit.data.sources import celeba
from audit.data.sources.opening import open_data
from audit.environment import versions
from audit.model import checkpoint
from audit.model.forward import Encoder
from audit.run import audit
from audit.settings import Provenance

TASK = "Smiling"
PRIVATE = (
    "Male", "Young", "Attractive", "Big_Nose", "Black_Hair", "Heavy_Makeup",
    "High_Cheekbones", "Oval_Face", "Wavy_Hair", "Wearing_Lipstick",
)  # fmt: skip
"""Of each, at least one face in five has it and one in five has not."""
LAYER = "avgpool"
BATCH = 128
WIDTH, HEIGHT = 178, 218
"""Of CelebA's aligned images, in pixels."""
PATTERN = (7, 6)
"""Places, down and across, at which a made image gets a colour; between them it is smooth, but for a grain."""
TURNS = ("bare", "one", "ten", "bare")
TIMES_BARE, TIMES_ONE = 1.25, 2.0
"""What is claimed: one attribute against the bare pass, ten attributes against one."""


@dataclass(frozen=True)
class Turn:
    """One bare pass or one audit."""

    kind: str
    seconds: float
    processor_seconds: float
    """Of all threads together; less than `seconds` times their number where they waited."""
    pass_seconds: float
    """Of `seconds`, those of decoding, hashing and running the model."""


@dataclass
class Clock:
    """Stands where a progress bar would, and takes the time of the forward pass."""

    pass_seconds: float = field(default=0.0, init=False)

    def __call__(self, items: Iterable[Any], _length: int, label: str) -> Iterator[Any]:
        """Let the items go by."""
        start = time.perf_counter()
        yield from items
        if label == "one forward pass":
            self.pass_seconds += time.perf_counter() - start


def faces(data_root: str, image_size: int) -> LabelledData:
    """Open all people of CelebA's official files: nothing is trained here, so both parts are rows like any other."""
    parts: tuple[Part, ...] = ("train", "audit")
    opened = [celeba.load(part, data_root=data_root, image_size=image_size) for part in parts]
    columns = {
        name: Column(np.concatenate([one.column(name, "CelebA").codes for one in opened]), ("no", "yes"))
        for name in (TASK, *PRIVATE)
    }
    group = np.concatenate([one.group for one in opened if one.group is not None])
    return labelled(
        Joined([one.inputs for one in opened]), columns, group=group, group_name="person", name="celeba, both parts"
    )


def made(folder: Path, rows: int, image_size: int) -> LabelledData:
    """Write JPEG images whose colours tell a little of each label, and open them as any folder is opened."""
    generator = np.random.default_rng(0)
    names = (TASK, *PRIVATE)
    labels = generator.random((rows, len(names))) < np.linspace(0.3, 0.5, len(names))  # (n, labels)
    shifts = generator.normal(scale=12, size=(len(names), *PATTERN, 3))
    for row, own in enumerate(labels):
        colours = 128 + generator.normal(scale=40, size=(*PATTERN, 3)) + (own[:, None, None, None] * shifts).sum(axis=0)
        coarse = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
        smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        grain = generator.normal(scale=6, size=(HEIGHT, WIDTH, 1))
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(folder / f"{row:06}.jpg", quality=85)
    table = pd.DataFrame(np.where(labels, "yes", "no"), columns=names)
    table.insert(0, "file_name", [f"{row:06}.jpg" for row in range(rows)])
    table.to_csv(folder / "metadata.csv", index=False)
    return open_data(str(folder), "audit", {"transform": "imagenet", "image_size": image_size})


def bare(model: nn.Module, data: LabelledData) -> None:
    """Decode every image once and run the model on it once, and no more."""
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(data), BATCH):
            rows = range(start, min(start + BATCH, len(data)))
            model(torch.stack([data.inputs[row] for row in rows]))


def timed(kind: str, model: nn.Module, data: LabelledData) -> Turn:
    """Take the time of a bare pass, or of an audit of one or of ten attributes with all defaults."""
    clock = Clock()
    start, processor = time.perf_counter(), time.process_time()
    if kind == "bare":
        bare(model, data)
    else:
        private = PRIVATE if kind == "ten" else PRIVATE[:1]
        encoder, provenance = Encoder(model, batch_size=BATCH), Provenance(track=clock)
        audit(encoder, data, private=private, task=TASK, layer=LAYER, provenance=provenance)
    seconds = time.perf_counter() - start
    return Turn(kind, seconds, time.process_time() - processor, seconds if kind == "bare" else clock.pass_seconds)


def table(turns: list[Turn]) -> str:
    """Return every turn in the order taken, as Markdown, and what they come to."""
    told = {"bare": "bare pass", "one": "audit of 1 attribute", "ten": f"audit of {len(PRIVATE)} attributes"}
    lines = ["| turn | seconds | of it decoding and the pass | the rest | processor seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| {told[one.kind]} | {one.seconds:.1f} | {one.pass_seconds:.1f} | {one.seconds - one.pass_seconds:.1f} "
        f"| {one.processor_seconds:.1f} |"
        for one in turns
    ]
    seconds = {kind: [one.seconds for one in turns if one.kind == kind] for kind in told}
    middle = {kind: mean(own) for kind, own in seconds.items()}
    drift = max(seconds["bare"]) / min(seconds["bare"]) - 1
    lines += [
        "",
        f"- 1 attribute against the bare pass: {middle['one'] / middle['bare']:.2f} times "
        f"(claimed: at most {TIMES_BARE:g})",
        f"- {len(PRIVATE)} attributes against 1: {middle['ten'] / middle['one']:.2f} times "
        f"(claimed: at most {TIMES_ONE:g})",
        f"- the slowest bare pass took {100 * drift:.0f} % longer than the quickest",
    ]
    return "\n".join(lines)


def warm(model: nn.Module, data: LabelledData) -> float:
    """Pay for a cold disk and for the first batch before any turn does; return the seconds that decoding took alone."""
    bare(model, data.take(first(data, BATCH)))
    start = time.perf_counter()
    for row in range(len(data)):
        data.inputs[row]
    return time.perf_counter() - start


def first(data: LabelledData, most: int) -> Ints:
    """Return the first rows."""
    return np.arange(min(most, len(data)), dtype=np.int64)


@click.command()
@click.option("--data-root", help="Folder of CelebA's official files; without it, images are made.")
@click.option("--rows", default=5000, show_default=True)
@click.option("--image-size", default=224, show_default=True, help="Side in pixels.")
@click.option(
    "--checkpoint", "path", type=click.Path(path_type=Path), help="Of a torchvision ResNet-18; random weights if none."
)
def main(data_root: str | None, rows: int, image_size: int, path: Path | None) -> None:
    """Let bare passes and audits take turns and print their times."""
    torch.manual_seed(0)
    torch.set_num_threads(joblib.cpu_count())  # what the attackers use, so that both sides have the same cores
    factory = "torchvision.models:resnet18"
    model = checkpoint.load(path, factory, {"num_classes": 2}).module if path else resnet18(num_classes=2)
    with tempfile.TemporaryDirectory() as folder:
        data = faces(data_root, image_size) if data_root else made(Path(folder), rows, image_size)
        data = data.take(first(data, rows))
        decoding = warm(model, data)
        turns = []
        for kind in TURNS:
            turns.append(timed(kind, model, data))
            click.echo(str(turns[-1]), err=True)
    today = datetime.datetime.now(datetime.UTC).date()
    packages = ", ".join(f"{package} {version}" for package, version in versions().items())
    weights = f"weights of {path.name}" if path else "random weights"
    click.echo(
        f"{today}, {platform.machine()}, {torch.get_num_threads()} CPU threads; {packages}; ResNet-18, {weights}; "
        f"{len(data):,} images {'of CelebA' if data_root else 'made here'} at {image_size} px, batches of {BATCH}; "
        f"decoding alone takes {decoding:.1f} s\n"
    )
    click.echo(table(turns))


if __name__ == "__main__":
    main()

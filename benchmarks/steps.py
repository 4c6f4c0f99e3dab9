"""What one step of each method costs beside a step of plain fine-tuning: ResNet-18 at 224 pixels, batches of 100.

    python benchmarks/steps.py

Random images in memory, so that nothing is read or decoded. The methods take turns, a few steps each, and the
figures are ratios of the medians; on a GPU the model runs in bf16 and channels_last.
"""

import datetime
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import click
import numpy as np
import torch
from torchvision.models import resnet18

from audit import released
from audit.columns import Column
from audit.data import LabelledData
from audit.machine import choose_device, describe_device, versions
from sanitizer import training
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.irene import Irene
from sanitizer.methods.kernel import Kernel
from sanitizer.methods.objective import Method
from sanitizer.methods.plain import Plain
from sanitizer.methods.rich import Rich
from sanitizer.steps import Recipe, Steps

BATCH = 100
ARMS: Mapping[str, tuple[Method, float | None]] = {
    "plain fine-tuning": (Plain(), None),
    "irene": (Irene(), 1.15),
    "irene, MLP head, 5 inner steps": (Irene(head="mlp", inner_steps=5), None),
    "kernel head": (Kernel(), None),
    "codebook": (Codebook(), 1.5),
    "rich, 3 attributes kept": (Rich(), 1.5),
}
"""Each method, and how many plain steps one of its steps may cost."""
seconds: list[float] = []


class Timed(Steps):
    """Steps that tell how long an epoch of them took."""

    def epoch(self, data: LabelledData, columns: Sequence[str], epoch: int) -> dict[str, float]:
        """Take every step of one epoch."""
        begin = time.perf_counter()
        told = super().epoch(data, columns, epoch)
        if self.fabric.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - begin) / (len(data) // BATCH))
        return told


def rows(n: int) -> LabelledData:
    """Draw n images and labels of five columns."""
    generator = np.random.default_rng(0)
    columns = {name: Column(generator.integers(2, size=n), ("no", "yes")) for name in ("y", "v", "a", "b", "c")}
    images = torch.from_numpy(generator.normal(size=(n, 3, 224, 224)).astype(np.float32))
    return LabelledData("random", images, columns)


@click.command()
@click.option("--steps", default=4, show_default=True, help="In one turn of a method.")
@click.option("--turns", default=3, show_default=True)
def main(steps: int, turns: int) -> None:
    """Take turns and print the ratios."""
    device = choose_device("auto")
    precision: Literal["bf16-mixed", "32-true"] = "bf16-mixed" if device.type == "cuda" else "32-true"
    setattr(training, "Steps", Timed)  # noqa: B010 - the loop's own steps, with a watch
    data = rows(round(BATCH * (steps + 0.5) / 0.85))
    model = resnet18(num_classes=2)
    if device.type == "cuda":
        model = model.to(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in ARMS}
    for turn in range(turns + 1):
        for name, (method, _) in ARMS.items():
            recipe = Recipe(1, BATCH, "sgd", lr=1e-3, precision=precision)
            keep = ["a", "b", "c"] if isinstance(method, Rich) else []
            training.fine_tune(
                model,
                data,
                task="y",
                private=["v"],
                keep=keep,
                layer="fc:input",
                method=method,
                recipe=recipe,
                device=device,
            )
            if "irene" in dict(model.named_children()):
                released.remove(model)
            if turn:  # the first warms up
                taken[name].append(seconds[-1])
    plain = median(taken["plain fine-tuning"])
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}, {describe_device(device)}, {precision}; {versions()}; {turns} turns of {steps} steps\n")
    click.echo("| method | seconds a step | images a second | plain steps | may cost |\n|---|---|---|---|---|")
    for name, (_, most) in ARMS.items():
        one = median(taken[name])
        bound = "–" if most is None else f"{most:.2f}"
        click.echo(f"| {name} | {one:.3f} | {BATCH / one:.1f} | {one / plain:.2f} | {bound} |")


if __name__ == "__main__":
    main()

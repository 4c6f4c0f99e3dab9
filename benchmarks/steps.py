"""What one step of each method costs beside a step of plain fine-tuning: ResNet-18 at 224 pixels, batches of 100.

    python benchmarks/steps.py

Random images in memory, so that nothing is read or decoded. The methods take turns, a few steps each, and the
figures are ratios of the medians; on a GPU the model runs in bf16 and channels_last.
"""

import datetime
import time
from collections.abc import Mapping
from statistics import median

import click
import numpy as np
import torch
from torchvision.models import resnet18

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.environment import choose_device, describe_device, versions
from audit.model import release
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Method, Setting
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.irene import Irene
from sanitizer.methods.kernel import Kernel
from sanitizer.methods.plain import Plain
from sanitizer.methods.rich import Rich
from sanitizer.training.forward import ForwardPass
from sanitizer.training.schedule import Schedule
from sanitizer.training.step import TrainingStep, make_fabric

BATCH = 100
KEPT = ("a", "b", "c")
ARMS: Mapping[str, tuple[Method, float | None]] = {
    "plain fine-tuning": (Plain(), None),
    "irene": (Irene(), 1.15),
    "irene, MLP head, 5 inner steps": (Irene(head="mlp", inner_steps=5), None),
    "kernel head": (Kernel(), None),
    "codebook": (Codebook(), 1.5),
    "rich, 3 attributes kept": (Rich(), 1.5),
}
"""Each method, and how many plain steps one of its steps may cost."""


def rows(n: int, size: int = 224) -> LabelledData:
    """Draw n images of so many pixels, and labels of five columns."""
    generator = np.random.default_rng(0)
    columns = {name: Column(generator.integers(2, size=n), ("no", "yes")) for name in ("y", "v", *KEPT)}
    images = torch.from_numpy(generator.normal(size=(n, 3, size, size)).astype(np.float32))
    return LabelledData("random", images, columns)


def prepared(method: Method, data: LabelledData, device: torch.device, batch: int = BATCH) -> TrainingStep:
    """Begin one method on a network of its own."""
    gpu = device.type == "cuda"
    recipe = Recipe(1, batch, "sgd", lr=1e-4, precision="bf16-mixed" if gpu else "32-true")
    fabric = make_fabric(device, recipe)
    model = resnet18(num_classes=2).to(device, memory_format=torch.channels_last if gpu else torch.contiguous_format)
    keep = KEPT if isinstance(method, Rich) else ()
    job = TrainingJob(data, task="y", private=["v"], keep=keep, layer="fc:input", method=method, recipe=recipe)
    forward = ForwardPass.of(model, job, device)
    setting = Setting(
        classes={"v": 2},
        task_classes=2,
        x=data.inputs[0].unsqueeze(0).to(device),
        look=lambda: forward.run(data.limited(60, seed=0)),
        batches=lambda: forward.inputs(data, batch),
        keep=dict.fromkeys(keep, 2),
        train_rows=len(data),
        width=512,
    )
    with torch.device(device):
        objective = method.start(setting)
    if objective.release is not None:
        release.install(model, "fc:input", objective.release)
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=0.9)
    wrapped, stepped = fabric.setup(model.train(), optimizer)
    schedule = Schedule(optimizer, recipe, len(data) // batch)
    return TrainingStep(fabric, forward, wrapped, objective, stepped, schedule, recipe, method.weight)


@click.command()
@click.option("--steps", default=2, show_default=True, help="In one turn of a method.")
@click.option("--turns", default=5, show_default=True)
def main(steps: int, turns: int) -> None:
    """Take turns and print the ratios."""
    device = choose_device("auto")
    data = rows(BATCH * steps)
    runs = {name: prepared(method, data, device) for name, (method, _) in ARMS.items()}
    taken: dict[str, list[float]] = {name: [] for name in ARMS}
    for turn in range(turns + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run.epoch(data, list(data.columns), turn)
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:  # the first warms up
                taken[name].append((time.perf_counter() - begin) / steps)
    plain = median(taken["plain fine-tuning"])
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}, {describe_device(device)}; {versions()}; {turns} turns of {steps} steps\n")
    click.echo("| method | seconds a step | images a second | plain steps | may cost |\n|---|---|---|---|---|")
    for name, (_, most) in ARMS.items():
        one = median(taken[name])
        bound = "–" if most is None else f"{most:.2f}"
        click.echo(f"| {name} | {one:.3f} | {BATCH / one:.1f} | {one / plain:.2f} | {bound} |")


if __name__ == "__main__":
    main()

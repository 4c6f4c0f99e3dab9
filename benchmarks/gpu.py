"""What a GPU is worth: images a second of a bare pass, an audit and each method, and attackers' seconds on both.

    python benchmarks/gpu.py                                          # on the GPU, if there is one
    python benchmarks/gpu.py --images 64 --size 64 --batch 32 --rows 20000 --width 64 --device cpu

A ResNet-18 with random weights and random images in memory, so that nothing is read or decoded; on a GPU in bf16 and
channels_last where it trains. Asked there: an audit's pass at most 1.25 bare passes, each method at least .9 of plain
steps' images a second, and attackers on 1,000,000 x 512 in less than two minutes. All are ratios of turns of one run.
"""

import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from statistics import median

import click
import numpy as np
import torch
from steps import ARMS, prepared, rows
from torch import nn
from torchvision.models import resnet18

from audit.attackers.network import NetworkClassifier
from audit.data.labelled import LabelledData
from audit.environment import choose_device, describe_device, versions
from audit.model.forward import Encoder
from audit.model.representations import extract
from sanitizer.training.step import TrainingStep

LAYER = "fc:input"
MOST_PASSES, LEAST_OF_PLAIN, MOST_SECONDS = 1.25, 0.9, 120.0
SHOWN = 8
"""Operations of a step that take the longest."""


def seconds(call: Callable[[], object], device: torch.device, turns: int) -> float:
    """Return the median time of a call, after one that warms up."""
    taken = []
    for _ in range(turns + 1):
        begin = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return median(taken[1:])


def bare(model: nn.Module, images: torch.Tensor, batch: int, device: torch.device) -> None:
    """Run the model over the images, and no more."""
    with torch.inference_mode():
        for some in torch.split(images, batch):
            model(some.to(device, non_blocking=True))


def passes(images: int, size: int, batch: int, device: torch.device, turns: int) -> Iterable[str]:
    """Measure a bare pass, the pass of an audit and a step of each method."""
    data = rows(images, size)
    assert isinstance(data.inputs, torch.Tensor)
    model = resnet18(num_classes=2).to(device).eval()
    once = seconds(lambda: bare(model, data.inputs, batch, device), device, turns)  # type: ignore[arg-type]
    audit = seconds(lambda: extract(Encoder(model), data, [LAYER]), device, turns)
    yield "| pass | images a second | beside | ratio | asked |\n|---|---|---|---|---|"
    yield f"| bare | {images / once:.1f} | – | – | – |"
    yield f"| an audit's | {images / audit:.1f} | bare passes | {audit / once:.2f} | at most {MOST_PASSES} |"
    plain = 0.0
    for name, (method, _) in ARMS.items():
        step, turn = prepared(method, data, device, batch), count()
        taken = seconds(partial(_epoch, step, data, turn), device, turns)
        plain = plain or taken
        asked = "–" if plain == taken else f"at least {LEAST_OF_PLAIN}"
        yield f"| {name} | {images / taken:.1f} | plain images a second | {plain / taken:.2f} | {asked} |"


def _epoch(step: TrainingStep, data: LabelledData, turn: Iterator[int]) -> None:
    step.epoch(data, list(data.columns), next(turn))


def attackers(n: int, width: int, device: torch.device) -> Iterable[str]:
    """Measure the perceptron, the attacker that a GPU fits, on the CPU and on the device."""
    generator = np.random.default_rng(0)
    z, v = generator.standard_normal((n, width), dtype=np.float32), generator.integers(0, 2, n)
    yield "| attacker | rows | features | on | seconds | asked |\n|---|---|---|---|---|---|"
    for place in dict.fromkeys(["cpu", device.type]):
        begin = time.perf_counter()
        NetworkClassifier(device=place).fit(z, v)
        asked = f"less than {MOST_SECONDS:.0f} for all" if place == "cuda" else "–"
        yield f"| perceptron | {n:,} | {width:,} | {place} | {time.perf_counter() - begin:.1f} | {asked} |"


def longest(size: int, batch: int, device: torch.device) -> Iterable[str]:
    """Say where the time of IRENE's step goes."""
    data = rows(batch, size)
    run = prepared(ARMS["irene"][0], data, device, batch)
    run.epoch(data, list(data.columns), 0)
    kinds = [torch.profiler.ProfilerActivity.CPU]
    kinds += [torch.profiler.ProfilerActivity.CUDA] if device.type == "cuda" else []
    with torch.profiler.profile(activities=kinds) as profile:
        run.epoch(data, list(data.columns), 1)
    own = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    found = sorted(profile.key_averages(), key=lambda one: -getattr(one, own))
    whole = sum(getattr(one, own) for one in found) or 1
    yield "| operation of a step of `irene` | share of the time |\n|---|---|"
    for one in found[:SHOWN]:
        yield f"| `{one.key[:60]}` | {100 * getattr(one, own) / whole:.0f} % |"


@click.command()
@click.option("--images", default=2000, show_default=True)
@click.option("--size", default=224, show_default=True, help="Of an image, in pixels.")
@click.option("--batch", default=100, show_default=True)
@click.option("--rows", "n", default=1_000_000, show_default=True, help="Of the attackers' features.")
@click.option("--width", default=512, show_default=True)
@click.option("--turns", default=5, show_default=True)
@click.option("--device", default="auto", show_default=True)
def main(images: int, size: int, batch: int, n: int, width: int, turns: int, device: str) -> None:
    """Measure, and print three tables."""
    place = choose_device(device)
    today = datetime.datetime.now(datetime.UTC).date()
    click.echo(f"{today}, {describe_device(place)}; {versions()}; {images} images of {size} pixels, {turns} turns")
    tables = (passes(images, size, batch, place, turns), attackers(n, width, place), longest(size, batch, place))
    for table in tables:
        click.echo()
        for line in table:
            click.echo(line)


if __name__ == "__main__":
    main()

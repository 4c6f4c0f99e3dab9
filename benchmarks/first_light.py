"""What the head in the training loop says, beside what fresh attackers read: coloured digits and Biased-MNIST.

    python benchmarks/first_light.py --data-root ../shared/data --seeds 3

Every arm starts from the same trained checkpoint. Attackers are trained from scratch on rows that no arm
saw. Prints a Markdown table for each data set; `--data digits` alone needs no files.
"""

import copy
import datetime
import platform
from dataclasses import dataclass, replace
from statistics import mean, stdev

import click
import torch
from torch import nn

from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.environment import choose_device, versions
from audit.model.example_networks import small_convnet
from audit.run import audit
from audit.settings import Provenance
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.irene import Irene
from sanitizer.methods.kernel import Kernel
from sanitizer.training.loop import fine_tune

LAYER = "classifier:input"
EPOCHS = 30
PAPER = Recipe(EPOCHS, batch_size=100, optimizer="sgd", lr=0.1, alpha=0.5)
OURS = Recipe(EPOCHS, lr=1e-2)
ARMS: dict[str, tuple[Method | None, Recipe]] = {
    "untouched": (None, OURS),
    "plain fine-tuning, a head watching": (Irene(weight=0.0, head_lr=0.1), PAPER),
    "irene as published": (Irene(weight=0.5, head_lr=0.1), PAPER),
    "irene, MLP head, 5 inner steps": (Irene(weight=5.0, head="mlp", inner_steps=5, head_lr=0.05), OURS),
    "kernel head": (Kernel(), OURS),
}


@dataclass(frozen=True)
class Row:
    """One arm with one seed."""

    task: float
    head: float | None
    """Balanced accuracy of the training adversary, on rows held out from it."""
    strongest: float
    floor: float
    bits: float
    verdict: str


def run(arm: str, start: nn.Module, train: LabelledData, rows: LabelledData, seed: int) -> Row:
    """Fine-tune a copy of the checkpoint by one arm and audit it."""
    method, recipe = ARMS[arm]
    model, head = copy.deepcopy(start), None
    if method is not None:
        outcome = fine_tune(
            model,
            TrainingJob(
                train,
                task="digit",
                private=["colour"],
                method=method,
                layer=LAYER,
                recipe=replace(recipe, seed=seed),
                device=next(model.parameters()).device,
            ),
        )
        head = outcome.head_accuracy["colour"]
    provenance = Provenance(limit_set_by="default")
    result = audit(model, rows, task="digit", private="colour", layer=LAYER, provenance=provenance)
    (found,) = result.private
    measured = found.measurement
    assert result.task is not None
    return Row(
        task=result.task.accuracy.value,
        head=head,
        strongest=measured.score.value,
        floor=measured.floor_score.value,
        bits=measured.figures["bits"].value,
        verdict=found.decided.verdict,
    )


def table(name: str, found: dict[str, list[Row]]) -> str:
    """Return the mean over seeds of every arm, with the deviation where there is one, as Markdown."""

    def spread(values: list[float]) -> str:
        deviation = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
        return f"{100 * mean(values):.1f}{deviation}"

    lines = [
        f"**{name}**",
        "",
        "| arm | task accuracy | training adversary | strongest fresh attacker | floor | bits | verdicts |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm, rows in found.items():
        heads = [row.head for row in rows if row.head is not None]
        cells = [
            arm,
            spread([row.task for row in rows]),
            spread(heads) if heads else "–",
            spread([row.strongest for row in rows]),
            spread([row.floor for row in rows]),
            f"{max(0.0, mean(row.bits for row in rows)):.2f}",
            ", ".join(sorted({row.verdict for row in rows})),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command()
@click.option("--data", "sets", default="digits,biased-mnist", show_default=True)
@click.option("--data-root", default="data", show_default=True, help="Folder of MNIST; downloaded where it is not.")
@click.option("--rows", default=10_000, show_default=True, help="Training rows of Biased-MNIST.")
@click.option("--rho", default=0.1, show_default=True)
@click.option("--seeds", default=3, show_default=True)
def main(sets: str, data_root: str, rows: int, rho: float, seeds: int) -> None:
    """Train, run every arm, audit each and print the tables."""
    device = choose_device("auto")
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{torch.get_num_threads()} CPU threads"
    today = datetime.datetime.now(datetime.UTC).date()
    packages = ", ".join(f"{package} {version}" for package, version in versions().items())
    click.echo(f"{today}, {platform.machine()}, {where}; {packages}; seeds 0 to {seeds - 1}, rho {rho}\n")
    for name in sets.split(","):
        options = {"data_root": data_root} if name == "biased-mnist" else {}
        found: dict[str, list[Row]] = {arm: [] for arm in ARMS}
        for seed in range(seeds):
            train = open_data(name, "train", options | {"rho": rho, "seed": seed}).limited(rows, seed=seed)
            held = open_data(name, "audit", options | {"seed": seed})
            torch.manual_seed(seed)
            start = small_convnet().to(device)
            recipe = Recipe(20, batch_size=128, lr=3e-3, seed=seed)
            fine_tune(start, TrainingJob(train, task="digit", layer=LAYER, recipe=recipe, device=device))
            for arm in ARMS:
                found[arm].append(run(arm, start, train, held, seed))
                click.echo(f"{name}, seed {seed}, {arm}: {found[arm][-1]}", err=True)
        counts = f"{len(train):,} training rows, {len(held):,} audit rows"
        click.echo(table(f"{name}: {counts}; percent, chance 10.0", found) + "\n")


if __name__ == "__main__":
    main()

"""Train an ordinary checkpoint on its task alone, to have something to audit.

    python benchmarks/train.py --arch torchvision.models:resnet18 --arch-arg num_classes=2 \\
        --data celeba --data-root ../shared/data/celeba --image-size 64 --task Smiling -o out/smile.safetensors
"""

from pathlib import Path
from typing import Any

import click
import safetensors.torch
import torch

from audit.atomic_write import write_whole
from audit.cli.options import (
    MODEL,
    ROWS,
    SOURCE,
    ModelOptions,
    RowOptions,
    SourceOptions,
    arguments,
    progress,
    with_options,
)
from audit.environment import choose_device
from audit.model.architecture import build
from audit.model.structure.listing import suggest
from sanitizer.job import Recipe, TrainingJob
from sanitizer.training.loop import fine_tune


@click.command()
@with_options(MODEL, SOURCE, ROWS)
@click.option("--task", required=True)
@click.option("--epochs", default=20, show_default=True)
@click.option("--batch-size", default=128, show_default=True)
@click.option("--lr", default=3e-3, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def main(
    task: str,
    epochs: int,
    batch_size: int,
    lr: float,
    output: Path,
    **given: Any,
) -> None:
    """Train from scratch and write a safetensors state_dict."""
    options, rows = ModelOptions.of(given), RowOptions.of(given)
    torch.manual_seed(rows.seed)
    chosen = choose_device(options.device)
    if options.arch is None:
        raise click.UsageError("Missing option '--arch'. Name who builds the model.")
    model = build(options.arch, arguments(options.arch_arg)).to(chosen)
    data = rows.limit(SourceOptions.of(given).open("train", options.arch))
    layer = suggest(model, data.inputs[0].unsqueeze(0).to(chosen))
    recipe = Recipe(epochs=epochs, batch_size=batch_size, lr=lr, seed=rows.seed)
    outcome = fine_tune(model, TrainingJob(data, task, layer, recipe=recipe, device=chosen), track=progress)
    write_whole(output, safetensors.torch.save({name: tensor.cpu() for name, tensor in model.state_dict().items()}))
    click.echo(f"Wrote {output}; the task's loss fell to {outcome.trace[-1].task_loss:.3f} nats")


if __name__ == "__main__":
    main()

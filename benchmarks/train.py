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
from audit.cli.options import MODEL, ROWS, SOURCE, arguments, open_rows, progress, with_options
from audit.environment import choose_device
from audit.model.architecture import build
from audit.model.layers import suggest
from sanitizer.training.loop import fine_tune
from sanitizer.training.step import Recipe


@click.command()
@with_options(MODEL, SOURCE, ROWS)
@click.option("--task", required=True)
@click.option("--epochs", default=20, show_default=True)
@click.option("--batch-size", default=128, show_default=True)
@click.option("--lr", default=3e-3, show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def main(
    arch: str | None,
    arch_arg: tuple[str, ...],
    device: str,
    task: str,
    epochs: int,
    batch_size: int,
    lr: float,
    output: Path,
    **given: Any,
) -> None:
    """Train from scratch and write a safetensors state_dict."""
    torch.manual_seed(given["seed"])
    chosen = choose_device(device)
    if arch is None:
        raise click.UsageError("Missing option '--arch'. Name who builds the model.")
    model = build(arch, arguments(arch_arg)).to(chosen)
    data = open_rows(given, "train", arch)
    data = data.limited(given["limit_rows"] or len(data), seed=given["seed"])
    layer = suggest(model, data.inputs[0].unsqueeze(0).to(chosen))
    recipe = Recipe(epochs=epochs, batch_size=batch_size, lr=lr, seed=given["seed"])
    outcome = fine_tune(model, data, task=task, layer=layer, recipe=recipe, device=chosen, track=progress)
    write_whole(output, safetensors.torch.save({name: tensor.cpu() for name, tensor in model.state_dict().items()}))
    click.echo(f"Wrote {output}; the task's loss fell to {outcome.trace[-1].task_loss:.3f} nats")


if __name__ == "__main__":
    main()
